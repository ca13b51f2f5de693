"""A small piece of real work for each library: that an import succeeds does not show that what we need of it is there."""

from __future__ import annotations

LIBRARY_PROBES = {
    "numpy": """
import numpy
assert numpy.allclose(numpy.linalg.inv(2 * numpy.eye(3)) @ (2 * numpy.eye(3)), numpy.eye(3)), 'wrong inverse of a matrix'
""",
    "scipy": """
import scipy.optimize, scipy.signal, scipy.spatial
assert scipy.optimize.linear_sum_assignment([[2, 1], [1, 2]])[1].tolist() == [1, 0], 'wrong assignment'
assert scipy.spatial.cKDTree([[0.0], [1.0]]).query([0.9])[1] == 1, 'wrong neighbour'
""",
    "cv2": """
import cv2, numpy
image = numpy.full((32, 32, 3), 128, numpy.uint8)
for suffix in ('.jpg', '.png'):
    back = cv2.imdecode(cv2.imencode(suffix, image)[1], cv2.IMREAD_COLOR)
    assert back.shape == image.shape and abs(back.astype(int) - 128).max() < 3, f'wrong picture after {suffix}'
half = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
matrix = cv2.getAffineTransform(numpy.float32([[0, 0], [9, 0], [0, 9]]), numpy.float32([[1, 0], [10, 0], [1, 9]]))
moved = cv2.warpAffine(image, matrix, (32, 32), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT)
maps = cv2.initUndistortRectifyMap(numpy.eye(3), numpy.zeros(5), None, numpy.eye(3), (32, 32), cv2.CV_32FC1)
flat = cv2.remap(image, *maps, cv2.INTER_LINEAR)
grey = cv2.cvtColor(cv2.GaussianBlur(cv2.flip(cv2.rotate(image, cv2.ROTATE_180), 1), (3, 3), 0), cv2.COLOR_BGR2GRAY)
drawn = cv2.fillPoly(cv2.line(cv2.circle(image.copy(), (9, 9), 3, (0, 0, 255), cv2.FILLED), (0, 0), (9, 9), (255, 0, 0), 1,
    cv2.LINE_AA), [numpy.int32([[0, 0], [9, 0], [9, 9]])], (0, 255, 0))
edge = cv2.dilate(cv2.erode(grey, None), None)
counts = cv2.calcHist([grey], [0], None, [4], [0, 256])
assert half.mean() == moved.max() == grey.mean() == 128 and counts[2] == 1024, 'wrong pixels'
cv2.convexHull(numpy.int32([[0, 0], [9, 0], [9, 9]])), cv2.VideoCapture, cv2.setNumThreads, cv2.FileStorage
""",
    "zmq": """
import zmq
with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
    one.bind('inproc://doctor'), other.connect('inproc://doctor'), one.send(b'x')
    assert other.poll(5000) and other.recv() == b'x', 'a message was lost'
""",
    "msgspec": """
import msgspec
assert msgspec.msgpack.decode(msgspec.msgpack.encode({'a': [1.5]})) == msgspec.json.decode(b'{"a": [1.5]}'), 'wrong message'
""",
    "prometheus_client": """
import prometheus_client
registry = prometheus_client.CollectorRegistry()
prometheus_client.Counter('doctor', 'Runs.', registry=registry).inc()
assert b'doctor_total 1.0' in prometheus_client.generate_latest(registry), 'wrong metric'
""",
    "viser": """
import numpy, viser, viser.transforms
assert numpy.allclose(viser.transforms.SO3.identity().as_matrix(), numpy.eye(3)), 'wrong rotation'
viser.ViserServer
""",
    "PIL": """
import io
from PIL import Image
file = io.BytesIO()
Image.new('RGB', (4, 4), (1, 2, 3)).save(file, 'PNG')
assert Image.open(file).getpixel((3, 3)) == (1, 2, 3), 'wrong picture'
""",
    "yaml": "import yaml\nassert yaml.safe_load('a: [1, 2]') == {'a': [1, 2]}, 'wrong value'",
}
"""By import name: code that fails unless the library does what remi-stream needs of it; others are only imported."""
OPENVINO_PROBE = """import sys
sys.modules["openvino_telemetry"] = None
import numpy, openvino
from openvino import opset13
port = opset13.parameter([1, 3], numpy.float32)
network = openvino.Core().compile_model(openvino.Model([opset13.relu(port)], [port], "probe"), "CPU")
assert network(numpy.float32([[-1, 0, 2]]))[0].tolist() == [[0, 0, 2]], "wrong result of a network"
print(openvino.__version__.split('-')[0], *openvino.Core().available_devices)"""
"""Telemetry is replaced by nothing: it would open a connection."""
FFMPEG_PROBE = """import io, av, numpy
file = io.BytesIO()
with av.open(file, "w", format="mp4") as video:
    stream = video.add_stream("libx264", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    frames = [av.VideoFrame.from_ndarray(numpy.full((64, 64, 3), 128, numpy.uint8), format="bgr24") for _ in range(3)]
    for frame in [*frames, None]:
        video.mux(stream.encode(frame))
file.seek(0)
with av.open(file) as video:
    means = [frame.to_ndarray(format="bgr24").mean() for frame in video.decode(video=0)]
assert len(means) == 3 and abs(means[0] - 128) < 8, "wrong frames of an H.264 video"
print(av.ffmpeg_version_info)"""


def library_probe(module: str) -> str:
    """Return the code that tries a library, or just imports it."""
    return LIBRARY_PROBES.get(module, f"import {module}")


def engine_probe(engine: str) -> str:
    """Return the code that loads an engine, runs it on a frame of the sample clip, and prints what it did."""
    return f"""
import time
import cv2
from remi_stream.paths import sample_boxes, sample_clip
from remi_stream.pose.engine import load_engine
from remi_stream.tracking.crop import Crop
engine = load_engine({engine!r})
image = cv2.VideoCapture(str(sample_clip())).read()[1]
crop = Crop(image, sample_boxes()[0], 1, 0.0, (1000.0, 1000.0, 640.0, 360.0))
engine.infer([crop])
start_s = time.perf_counter()
person = engine.infer([crop])[0].person
found = 'finds the person' if person else 'does not find the person'
took_ms = 1000 * (time.perf_counter() - start_s)
print(f'{{engine.name}} in {{engine.runtime_name}} {{found}} of the sample clip, {{took_ms:.0f}} ms')"""
