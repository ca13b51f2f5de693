"""Where frames come from."""

import os

os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # s; cv2 reads it once, when it is imported
