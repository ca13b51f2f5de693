"""Sources of images (RTSP cameras, webcams, videos, image folders), their preprocessing, and the capture stage."""

import os

os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # s, not the default 10; cv2 reads it once, at import
