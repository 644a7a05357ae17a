"""Which operands of which operators are weights."""

_LSTM = (1, 2, 3, 4, 5, 6, 7, 8)

# operator -> operands that are weights
WEIGHT_OPERANDS: dict[str, tuple[int, ...]] = {
    "CONV_2D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "FULLY_CONNECTED": (1,),
    "TRANSPOSE_CONV": (1,),
    "CONV_3D": (1,),
    "CONV_3D_TRANSPOSE": (1,),
    "BATCH_MATMUL": (0, 1),
    "EMBEDDING_LOOKUP": (1,),
    "GATHER": (0,),
    "SVDF": (1, 2),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2),
    "LSTM": _LSTM,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _LSTM,
}

# What sparse and palette edit: the operators whose weights dominate size, by the magnitude pruning literature.
EDITED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")

# Axis of the output channels in the weights of those.
CHANNEL_AXIS: dict[str, int] = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
