"""Body models in the SMPL layout: skinning, forward and inverse kinematics, retargeting."""
