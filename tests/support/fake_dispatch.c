/* A dispatch library without an NPU, for the tests alone: every program doubles its one float32 input.
 *
 * LiteRT loads it as it would a vendor's (litert/vendors/c/litert_dispatch_api.h, API version 0.1.0). The structures
 * here are those of LiteRT 2.3's C API, shortened to what is used; functions come from the libLiteRt of the process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { OK = 0, FAILED = 3, BASIC = 1, HOST_MEMORY = 1, READ = 0, WRITE = 1 };

typedef void *Handle;

typedef struct {
  Handle input, output;
} Context;

static int (*create_requirements)(int, const int *, size_t, int, const uint32_t *, Handle *);
static int (*packed_size)(Handle, size_t *);
static int (*lock)(Handle, void **, int);
static int (*unlock)(Handle);

static int initialize(const void *runtime, Handle environment, Handle options) {
  void *litert = dlopen("libLiteRt.so", RTLD_NOW | RTLD_NOLOAD);
  if (litert == NULL) return FAILED;
  *(void **)&create_requirements = dlsym(litert, "LiteRtCreateTensorBufferRequirements");
  *(void **)&packed_size = dlsym(litert, "LiteRtGetTensorBufferPackedSize");
  *(void **)&lock = dlsym(litert, "LiteRtLockTensorBuffer");
  *(void **)&unlock = dlsym(litert, "LiteRtUnlockTensorBuffer");
  return create_requirements && packed_size && lock && unlock ? OK : FAILED;
}

static int tell_vendor(const char **name) {
  *name = "no NPU, a double for tests";
  return OK;
}

static int tell_build(const char **name) {
  *name = "1";
  return OK;
}

static int tell_capabilities(int *capabilities) {
  *capabilities = BASIC;
  return OK;
}

static int create_device(const void *runtime, Handle options, Handle *device) {
  static int only;
  *device = &only;
  return OK;
}

static int destroy_device(Handle device) { return OK; }

/* LiteRtRankedTensorType: element type, rank in the low 7 bits, dimensions. All tensors here are float32. */
static int require(Handle context, int index, const int32_t *type, Handle *requirements) {
  static const int kinds[] = {HOST_MEMORY};
  size_t bytes = sizeof(float);
  for (int axis = 0; axis < (type[1] & 0x7F); ++axis) bytes *= (size_t)type[2 + axis];
  return create_requirements(1, kinds, bytes, 0, NULL, requirements);
}

static int register_buffer(Handle device, Handle buffer, uint64_t *handle) {
  *handle = (uint64_t)(uintptr_t)buffer;
  return OK;
}

static int unregister_buffer(Handle device, uint64_t handle) { return OK; }

static int create_context(const void *runtime, Handle device, int kind, const void *program, const char *function,
                          int inputs, int outputs, Handle *context) {
  if (inputs != 1 || outputs != 1) return FAILED;
  *context = calloc(1, sizeof(Context));
  return OK;
}

static int destroy_context(Context *context) {
  free(context);
  return OK;
}

static int attach_input(Context *context, int index, uint64_t handle) {
  context->input = (Handle)(uintptr_t)handle;
  return OK;
}

static int attach_output(Context *context, int index, uint64_t handle) {
  context->output = (Handle)(uintptr_t)handle;
  return OK;
}

static int detach(Context *context, int index, uint64_t handle) { return OK; }

static int invoke(Context *context) {
  float *from, *to;
  size_t bytes;
  if (packed_size(context->input, &bytes) || lock(context->input, (void **)&from, READ)) return FAILED;
  if (lock(context->output, (void **)&to, WRITE)) return FAILED;
  for (size_t i = 0; i < bytes / sizeof(float); ++i) to[i] = 2 * from[i];
  unlock(context->output);
  return unlock(context->input);
}

typedef struct {
  int major, minor, patch;
} Version;

static int check_runtime(Version version, Handle environment, Handle options) {
  return version.major == 0 && version.minor == 1 ? OK : FAILED;
}

/* LiteRtDispatchInterface: by place; what is missing is optional (scheduling, metrics, options of a run). */
static const void *interface[32] = {
    [0] = initialize,      [1] = tell_vendor,      [2] = tell_build,      [3] = tell_capabilities,
    [4] = create_device,   [5] = destroy_device,   [6] = require,         [7] = require,
    [8] = register_buffer, [9] = unregister_buffer, [10] = create_context, [11] = destroy_context,
    [13] = attach_input,   [14] = attach_output,   [15] = detach,         [16] = detach,
    [17] = invoke,         [23] = check_runtime,
};

/* LiteRtDispatchApi as the wheel of LiteRT 2.3.0 has it: with eight bytes of header before the version. */
typedef struct {
  uint64_t header;
  Version version;
  const void *interface, *asynchronous, *graph, *buffer_handlers;
} Api;

int LiteRtDispatchGetApi(Api *api) {
  *api = (Api){.version = {0, 1, 0}, .interface = interface};
  return OK;
}
