"""What edgetpu_compiler printed for users, as they quoted it; each with its place. File names are theirs."""

NOT_ALL = (
    "Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will "
    "instead run on the CPU, which is slower. If possible, consider updating your model to use only operations "
    "supported by the Edge TPU. For details, visit g.co/coral/model-reqs.\n"
)

# github.com/keti's notes on a Dev Board; version 2.0 says "available" and not "remaining"
V2_0 = """Edge TPU Compiler version 2.0.291256449

Model compiled successfully in 2356 ms.

Input model: resnet50.tflite
Input size: 25.08MiB
Output model: resnet50_edgetpu.tflite
Output size: 24.87MiB
On-chip memory available for caching model parameters: 6.25MiB
On-chip memory used for caching model parameters: 6.25MiB
Off-chip memory used for streaming uncached model parameters: 18.43MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 77
Operation log: resnet50_edgetpu.log
See the operation log file for individual operation details.
"""

# google-coral/edgetpu issue 60
V2_1 = f"""edgetpu_compiler -s model2.tflite
Edge TPU Compiler version 2.1.302470888

Model compiled successfully in 12264 ms.

Input model: model2.tflite
Input size: 8.11MiB
Output model: model2_edgetpu.tflite
Output size: 9.47MiB
On-chip memory used for caching model parameters: 6.86MiB
On-chip memory remaining for caching model parameters: 7.75KiB
Off-chip memory used for streaming uncached model parameters: 1.22MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 93
Operation log: model2_edgetpu.log

{NOT_ALL}Number of operations that will run on Edge TPU: 83
Number of operations that will run on CPU: 10

Operator                       Count      Status

LOGISTIC                       1          More than one subgraph is not supported
ADD                            10         Mapped to Edge TPU
"""

# google-coral/edgetpu issue 173: without -s, lines wrapped by the writer's terminal
V14 = """Edge TPU Compiler version 14.1.317412892

Model compiled successfully in 113 ms.

Input model: T1_no_summ_02_quant8.tflite
Input size: 28.19KiB
Output model: T1_no_summ_02_quant8_edgetpu.tflite
Output size: 116.78KiB
On-chip memory used for caching model parameters: 60.00KiB
On-chip memory remaining for caching model parameters: 7.96MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 24
Operation log: T1_no_summ_02_quant8_edgetpu.log

Model successfully compiled but not all operations are supported by the
Edge TPU. A percentage of the model will instead run on the CPU, which is
slower. If possible, consider updating your model to use only operations
supported by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 6
Number of operations that will run on CPU: 18
See the operation log file for individual operation details.
"""

# google-coral/edgetpu issue 438: one type of operator on several rows
V15 = f"""Edge TPU Compiler version 15.0.340273435

Model compiled successfully in 577 ms.

Input model: /home/yolo/yolov3-tiny_int8.tflite
Input size: 8.58MiB
Output model: /home/yolo/yolov3-tiny_int8_edgetpu.tflite
Output size: 8.70MiB
On-chip memory used for caching model parameters: 3.00KiB
On-chip memory remaining for caching model parameters: 7.67MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 36
Operation log: /home/yolo/yolov3-tiny_int8_edgetpu.log

{NOT_ALL}Number of operations that will run on Edge TPU: 2
Number of operations that will run on CPU: 34

Operator                       Count      Status

MAX_POOL_2D                    6          More than one subgraph is not supported
QUANTIZE                       2          Operation is otherwise supported, but not mapped due to some unspecified limitation
QUANTIZE                       1          Mapped to Edge TPU
QUANTIZE                       1          More than one subgraph is not supported
CONV_2D                        1          Mapped to Edge TPU
CONV_2D                        12         More than one subgraph is not supported
RESIZE_NEAREST_NEIGHBOR        1          Operation version not supported
LEAKY_RELU                     11         Operation not supported
CONCATENATION                  1          More than one subgraph is not supported
"""  # noqa: E501

# google-coral/edgetpu issue 358: nothing is on the Edge TPU, and it is "compiled successfully"
V15_NOTHING = f"""Edge TPU Compiler version 15.0.340273435

Model compiled successfully in 17 ms.

Input model: internal_err.tflite
Input size: 961.05KiB
Output model: internal_err_edgetpu.tflite
Output size: 882.13KiB
On-chip memory used for caching model parameters: 0.00B
On-chip memory remaining for caching model parameters: 0.00B
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 0
Total number of operations: 69
Operation log: internal_err_edgetpu.log

{NOT_ALL}Number of operations that will run on Edge TPU: 0
Number of operations that will run on CPU: 69
"""

# a student's notes on a Dev Board: standard output without -s, and its log
V16_STDOUT = f"""Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 1524 ms.

Input model: efficientdet_coral_v2.tflite
Input size: 4.24MiB
Output model: efficientdet_coral_v2_edgetpu.tflite
Output size: 5.57MiB
On-chip memory used for caching model parameters: 4.21MiB
On-chip memory remaining for caching model parameters: 3.29MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 267
Operation log: efficientdet_coral_v2_edgetpu.log

{NOT_ALL}Number of operations that will run on Edge TPU: 264
Number of operations that will run on CPU: 3
See the operation log file for individual operation details.
Compilation child process completed within timeout period.
Compilation succeeded!
"""
V16_LOG = """Edge TPU Compiler version 16.0.384591198
Input: efficientdet_coral_v2.tflite
Output: efficientdet_coral_v2_edgetpu.tflite

Operator                       Count      Status

ADD                            42         Mapped to Edge TPU
CUSTOM                         1          Operation is working on an unsupported data type
RESHAPE                        10         Mapped to Edge TPU
CONCATENATION                  2          Mapped to Edge TPU
RESIZE_NEAREST_NEIGHBOR        12         Mapped to Edge TPU
DEPTHWISE_CONV_2D              80         Mapped to Edge TPU
DEQUANTIZE                     2          Operation is working on an unsupported data type
CONV_2D                        102        Mapped to Edge TPU
QUANTIZE                       1          Mapped to Edge TPU
LOGISTIC                       1          Mapped to Edge TPU
MAX_POOL_2D                    14         Mapped to Edge TPU
"""

# google-coral/edgetpu issue 572: nothing is left out, which version 16 does not count
V16_WHOLE = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 542 ms.

Input model: quantized_model.tflite
Input size: 4.04MiB
Output model: quantized_model_edgetpu.tflite
Output size: 4.13MiB
On-chip memory used for caching model parameters: 604.50KiB
On-chip memory remaining for caching model parameters: 511.50KiB
Off-chip memory used for streaming uncached model parameters: 3.45MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 50
Operation log: quantized_model_edgetpu.log
See the operation log file for individual operation details.
Compilation child process completed within timeout period.
Compilation succeeded!
"""

# google-coral/edgetpu issue 671: `-s -d -k 10 -n 2`. The second segment is shortened to what a reader needs.
V16_SEGMENTS = """Edge TPU Compiler version 16.0.384591198
Searching for valid delegate with step 10
Try to compile segment with 84 ops
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 2270 ms.

Input model: rede_modelo3_73_segment_0_of_2.tflite
Input size: 5.21MiB
Output model: rede_modelo3_73_segment_0_of_2_edgetpu.tflite
Output size: 6.51MiB
On-chip memory used for caching model parameters: 6.02MiB
On-chip memory remaining for caching model parameters: 1.02MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 84
Operation log: rede_modelo3_73_segment_0_of_2_edgetpu.log

Operator                       Count      Status

ADD                            84         Mapped to Edge TPU
Compilation child process completed within timeout period.
Compilation succeeded!
Searching for valid delegate with step 10
Try to compile segment with 3 ops

Model compiled successfully in 10 ms.

Input model: rede_modelo3_73_segment_1_of_2.tflite
Output model: rede_modelo3_73_segment_1_of_2_edgetpu.tflite
Off-chip memory used for streaming uncached model parameters: 41.75KiB
Number of Edge TPU subgraphs: 1
Total number of operations: 3

Operator                       Count      Status

CUSTOM                         1          Operation is working on an unsupported data type
ADD                            2          Mapped to Edge TPU
"""

# a robotics team's notes: the table leaves out what was taken
V16_SHORT_TABLE = f"""Input model: FRC_model.tflite
Input size: 8.05MiB
Output model: FRC_model_edgetpu.tflite
Output size: 14.17MiB
On-chip memory used for caching model parameters: 7.14MiB
On-chip memory remaining for caching model parameters: 1.75KiB
Off-chip memory used for streaming uncached model parameters: 6.63MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 141
Operation log: FRC_model_edgetpu.log

{NOT_ALL}Number of operations that will run on Edge TPU: 138
Number of operations that will run on CPU: 3

Operator                       Count      Status

RESHAPE                        1          Operation is otherwise supported, but not mapped due to some unspecified limitation
... All other operators were mapped successfully. See FRC_model_edgetpu.log.
"""  # noqa: E501

# google-coral/edgetpu issues 313, 358, 879
NOT_QUANTIZED = """Edge TPU Compiler version 15.0.340273435
Invalid model: mobilenet_v2_1.0_224_quant.tflite
Model not quantized
"""
INTERNAL = """Edge TPU Compiler version 15.0.340273435

Internal compiler error. Aborting!
"""
TOO_NEW = """Edge TPU Compiler version 16.0.384591198
ERROR: Didn't find op for builtin opcode 'QUANTIZE' version '3'. An older version of this builtin might be supported. \
Are you using an old TFLite binary with a newer model?

ERROR: Registration failed.

Invalid model: /mnt/e/models/quantized_model.tflite
Model could not be parsed
"""
