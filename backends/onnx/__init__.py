"""Networks as ONNX files, written node by node from the IR. Imports onnx.

to_onnx      a network and its weights as an `onnx.ModelProto`; `onnx.save` writes it

emit         bodies and layers; windows: convolutions and pools; activations
writer       the graph while it is written
metadata     classes and normalisation, as text beside the graph

liveness     how many bytes of activations a graph needs at once
int8         quantised by onnxruntime
runtime      onnxruntime: how long models take, side by side
agreement    whether what was read of a file computes what the file does
"""

from wootzc.backends.onnx.emit import to_onnx

__all__ = ["to_onnx"]
