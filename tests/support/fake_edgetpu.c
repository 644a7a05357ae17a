/* FakeEdgeTpu: a TFLite external delegate for the tests alone, where libedgetpu would be. There is no Edge TPU in it.
 *
 * It keeps to what libedgetpu does towards TFLite: it claims each operator `edgetpu-custom-op` on its own and says of
 * which version it is. Two things tell it from the real one:
 * - What it computes of that operator is a copy of its first input: enough for the protocol, no numbers of a model.
 * - With the option `ops` it claims operators of TFLite too and runs them by their original kernels, all in one
 *   partition. These numbers are the model's own, and the real library never does so.
 * Options: device=usb|pci|usb:N|pci:N|none, ops=all|3,4,..., delay_us=N, fail_invoke=K, requires=RUNTIME.
 *
 * The structures are TFLite's, shortened to what is used, as in LiteRT 2.3 and tflite-runtime 2.14 with 64 bits
 * (tensorflow/lite/core/c/common.h); the ABI is not promised to stay.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, FAILED = 1, CUSTOM = 32, DELEGATE = 51, ALLOW_DYNAMIC_TENSORS = 1, RUNTIME = 14 };

#define PROGRAM "edgetpu-custom-op"

typedef struct {
  int size;
  int data[];
} Ints;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct {
  int type;
  void *data;
  Ints *dims;
  struct {
    float scale;
    int32_t zero_point;
  } parameters;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int handle;
  bool stale, variable;
  struct {
    int type;
    void *parameters;
  } quantization;
  void *sparsity;
  const Ints *signature;
} Tensor;
typedef struct {
  Ints *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom;
  int custom_size;
  Delegate *delegate;
  bool side_effect;
} Node;
typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external, *async;
  uint64_t inplace;
} Registration;
typedef struct {
  Delegate *delegate;
  Ints *nodes, *inputs, *outputs;
} Parameters;
struct Context {
  size_t tensor_count;
  int (*get_plan)(Context *, Ints **);
  Tensor *tensors;
  void *impl;
  int (*resize)(Context *, Tensor *, Ints *);
  void (*report)(Context *, const char *, ...);
  int (*add_tensors)(Context *, int, int *);
  int (*get_node)(Context *, int, Node **, Registration **);
  int (*replace)(Context *, Registration, const Ints *, Delegate *);
};
struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *from, *to, *free_handle;
  int64_t flags;
  void *builder;
};
_Static_assert(sizeof(Tensor) == 112 && offsetof(Tensor, bytes) == 40, "another TfLiteTensor");

typedef struct {
  char ops[512];
  long delay_us;
  int fail_invoke, invokes, requires;
} Options;
/* Nodes by value: pointers to them die when the graph grows. */
typedef struct {
  Options *options;
  int count;
  Node *nodes;
  Registration *registrations;
} Kernel;

static Ints *new_ints(int size) {
  Ints *made = malloc(sizeof(int) * (size_t)(size + 1));
  made->size = size;
  return made;
}

static bool has(const Ints *ints, int wanted) {
  for (int i = 0; ints && i < ints->size; i++)
    if (ints->data[i] == wanted) return true;
  return false;
}

static bool is_program(const Registration *it) { return it->custom_name && !strcmp(it->custom_name, PROGRAM); }

static void *init(Context *context, const char *given, size_t size) {
  const Parameters *parameters = (const Parameters *)given;
  Kernel *kernel = calloc(1, sizeof *kernel);
  kernel->options = parameters->delegate->data;
  kernel->count = parameters->nodes->size;
  kernel->nodes = calloc((size_t)kernel->count, sizeof(Node));
  kernel->registrations = calloc((size_t)kernel->count, sizeof(Registration));
  for (int i = 0; i < kernel->count; i++) { /* the one place where nodes may be asked for */
    Node *node;
    Registration *registration;
    if (context->get_node(context, parameters->nodes->data[i], &node, &registration)) return NULL;
    kernel->nodes[i] = *node;
    kernel->registrations[i] = *registration;
    kernel->nodes[i].temporaries = new_ints(0);
    if (node->temporaries) node->temporaries->size = 0; /* TFLite would free the scratch of replaced nodes */
  }
  return kernel;
}

static void release(Context *context, void *data) {
  Kernel *kernel = data;
  if (!kernel) return;
  for (int i = 0; i < kernel->count; i++) free(kernel->nodes[i].temporaries);
  free(kernel->nodes);
  free(kernel->registrations);
  free(kernel);
}

/* Tensors inside the partition get memory as temporaries of the node that stands for it. */
static Ints *collect(Ints *inner, const Ints *listed, const Ints *outputs) {
  for (int i = 0; listed && i < listed->size; i++) {
    int tensor = listed->data[i];
    if (tensor < 0 || has(outputs, tensor) || has(inner, tensor)) continue;
    inner = realloc(inner, sizeof(int) * (size_t)(inner->size + 2));
    inner->data[inner->size++] = tensor;
  }
  return inner;
}

static int prepare(Context *context, Node *self) {
  Kernel *kernel = self->user_data;
  if (!kernel) return FAILED;
  if (kernel->options->requires > RUNTIME) {
    context->report(context,
                    "Failed precondition: Package requires runtime version (%d), which is newer than this runtime "
                    "version (%d).",
                    kernel->options->requires, RUNTIME);
    return FAILED;
  }
  Ints *inner = new_ints(0);
  for (int i = 0; i < kernel->count; i++) {
    Node *node = &kernel->nodes[i];
    Registration *registration = &kernel->registrations[i];
    if (is_program(registration)) continue;
    if (registration->prepare && registration->prepare(context, node)) return FAILED;
    inner = collect(inner, node->outputs, self->outputs);
    inner = collect(inner, node->temporaries, self->outputs);
  }
  free(self->temporaries);
  self->temporaries = inner;
  return OK;
}

static void copy(Context *context, const Node *node) {
  const Tensor *from = &context->tensors[node->inputs->data[0]];
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *to = &context->tensors[node->outputs->data[i]];
    size_t bytes = from->bytes < to->bytes ? from->bytes : to->bytes;
    memset(to->data, 0, to->bytes);
    memcpy(to->data, from->data, bytes);
  }
}

static int invoke(Context *context, Node *self) {
  Kernel *kernel = self->user_data;
  Options *options = kernel->options;
  if (options->fail_invoke && ++options->invokes >= options->fail_invoke) {
    context->report(context, "FakeEdgeTpu: USB transfer failed, as the option fail_invoke asks for");
    return FAILED;
  }
  for (int i = 0; i < kernel->count; i++) {
    if (is_program(&kernel->registrations[i]))
      copy(context, &kernel->nodes[i]);
    else if (kernel->registrations[i].invoke(context, &kernel->nodes[i]))
      return FAILED;
  }
  struct timespec delay = {options->delay_us / 1000000, options->delay_us % 1000000 * 1000};
  if (options->delay_us) nanosleep(&delay, NULL);
  return OK;
}

static bool is_asked_for(const Options *options, int code) {
  char listed[520], wanted[16];
  snprintf(listed, sizeof listed, ",%s,", options->ops);
  snprintf(wanted, sizeof wanted, ",%d,", code);
  return code != CUSTOM && (!strcmp(options->ops, "all") || strstr(listed, wanted));
}

static int claim(Context *context, Delegate *delegate) {
  Options *options = delegate->data;
  Registration kernel = {.init = init, .free = release, .prepare = prepare, .invoke = invoke, .builtin_code = DELEGATE,
                         .custom_name = "FakeEdgeTpuDelegate", .version = 1};
  Ints *plan;
  if (context->get_plan(context, &plan)) return FAILED;
  Ints *programs = new_ints(plan->size), *others = new_ints(plan->size);
  programs->size = others->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    if (context->get_node(context, plan->data[i], &node, &registration)) return FAILED;
    Ints *list = is_program(registration) ? programs : others;
    if (list == programs || is_asked_for(options, registration->builtin_code)) list->data[list->size++] = plan->data[i];
  }
  int status = OK;
  for (int i = 0; i < programs->size && !status; i++) { /* each on its own, as libedgetpu does */
    Ints *one = new_ints(1);
    one->data[0] = programs->data[i];
    status = context->replace(context, kernel, one, delegate);
    free(one);
  }
  if (others->size && !status) status = context->replace(context, kernel, others, delegate);
  free(programs);
  free(others);
  return status;
}

static bool read_option(Options *options, const char *key, const char *value, const char **device) {
  if (!strcmp(key, "device")) return *device = value, true;
  if (!strcmp(key, "ops")) return snprintf(options->ops, sizeof options->ops, "%s", value), true;
  if (!strcmp(key, "delay_us")) return options->delay_us = atol(value), true;
  if (!strcmp(key, "fail_invoke")) return options->fail_invoke = atoi(value), true;
  if (!strcmp(key, "requires")) return options->requires = atoi(value), true;
  return false;
}

Delegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values, size_t count,
                                        void (*report)(const char *)) {
  Options *options = calloc(1, sizeof *options);
  const char *device = "usb";
  for (size_t i = 0; i < count; i++) {
    if (read_option(options, keys[i], values[i], &device)) continue;
    if (report) report("FakeEdgeTpu: unknown option");
    free(options);
    return NULL;
  }
  if (!strcmp(device, "none")) { /* libedgetpu reports nothing where it finds no accelerator */
    free(options);
    return NULL;
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->data = options;
  delegate->prepare = claim;
  delegate->flags = ALLOW_DYNAMIC_TENSORS; /* else TFLite prepares the graph first and fails at the custom operator */
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (!delegate) return;
  free(delegate->data);
  free(delegate);
}

const char *edgetpu_version(void) { return "BuildLabel(FakeEdgeTpu, a double for tests), RuntimeVersion(14)"; }
