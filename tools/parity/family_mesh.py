"""POCO and PARE: network outputs, cameras and uncertainties."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.activations import ActivationRecorder
from parity.case import Arrays
from remi_stream.geometry import Intrinsics, matrices_from_axis_angle
from remi_stream.networks.served import build_network
from remi_stream.pose.crop import crop_camera_transl, transl_from_weak_camera
from remi_stream.pose.smpl_regressor import MAX_PELVIS_VARIANCE, accumulate_variance, person_variance

NAMES = ("poco_cliff", "poco_pare", "pare")
RECORDED = ("backbone", "head")


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """Build the network."""
    return build_network(name, shapes)


def outputs(name: str, module: nn.Module, inputs: Arrays, recorder: ActivationRecorder) -> Arrays:
    """Run the network."""
    arguments = [torch.from_numpy(inputs[key]) for key in ("img", "bbox_info") if key in inputs]
    rotations, betas, camera, last = module(*arguments)
    head, features = recorder.outputs["head"], recorder.outputs["backbone"]
    tensors = {
        "pred_pose": rotations,
        "pred_shape": betas,
        "pred_cam": camera,
        "pred_pose_6d": head.rot6d,
        "pred_pose6d": head.rot6d,
        "uncert_feat": features if features.ndim == 2 else head.features.flatten(1),
        "backbone_feat_sub": features,
        "body_feat2": getattr(head, "hidden", camera),
        "pred_segm_mask": getattr(head, "part_maps", camera),
    }
    arrays = {key: value.numpy() for key, value in tensors.items()}
    if name in MAX_PELVIS_VARIANCE:
        arrays |= {"var_pose": last.numpy()} | uncertainties(name, last.numpy())
    if "train_gt_pose_aa" in inputs:
        arrays["train_log_phi"] = log_density(module, tensors["uncert_feat"], rotations, last, inputs["train_gt_pose_aa"])
    return arrays | cameras(camera.numpy(), inputs)


def cameras(camera: np.ndarray, inputs: Arrays) -> Arrays:
    """Translations of the body in the crop's camera, and in the full image's camera if it is known."""
    translations = {"pred_cam_t": crop_camera_transl(camera)}
    if "orig_shape" in inputs:
        sides = inputs["scale"] * 200.0
        in_image = [
            transl_from_weak_camera(camera[index], inputs["center"][index], sides[index], pinhole(inputs, index))
            for index in range(len(camera))
        ]
        translations["pred_fullimg_cam_t"] = np.stack(in_image)
    return translations


def pinhole(inputs: Arrays, index: int) -> Intrinsics:
    """Intrinsics of the full image."""
    height, width = inputs["orig_shape"][index]
    focal_px = float(inputs["focal_length"][index])
    return focal_px, focal_px, float(width) / 2, float(height) / 2


def uncertainties(name: Any, variance: np.ndarray) -> Arrays:
    """Uncertainties of joints and persons, plain and accumulated along the kinematic chain."""
    arrays = {}
    for way, total in (("plain", variance), ("kinematic", accumulate_variance(variance))):
        arrays[f"uncert_{way}"] = total
        arrays[f"uncert_{way}_global"] = person_variance(total, name)
    return arrays


def log_density(module: Any, features: Tensor, rotations: Tensor, variance: Tensor, truth: np.ndarray) -> np.ndarray:
    """Log density of the flow head, the training objective. truth: (B, 72) axis-angle, rad."""
    matrices = matrices_from_axis_angle(truth.reshape(*rotations.shape[:2], 3)).astype(np.float32)
    errors = (rotations - torch.from_numpy(matrices)).abs().flatten(2) / variance[..., None]
    density: np.ndarray = module.flow_head(features, errors).numpy()
    return density
