"""ML Programs of fixed shapes written as .tflite files, operator by operator."""
