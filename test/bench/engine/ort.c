// Times a model in onnxruntime through its C API, so that no other language's calls are counted against it. It loads the library of the wheel;
// the session is sequential, inputs and outputs are bound once, and what is measured is RunWithBinding.
//
// Usage: ort LIBRARY MODEL THREADS SECONDS NAME=FILE.npy …   prints the fields of `jarvis onnx bench --json` of the same names.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "onnxruntime_c_api.h"

enum { READINGS = 1 << 16 };

static const OrtApi *api;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "ort: %s: %s\n", what, detail);
  exit(1);
}

static void ok(OrtStatus *s) {
  if (s) fail("onnxruntime", api->GetErrorMessage(s));
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

// text decodes numpy's UTF-32, which pads with zeros, to UTF-8.
static char *text(const unsigned *from, size_t width) {
  char *s = malloc(4 * width + 1), *p = s;
  for (size_t i = 0; i < width && from[i]; i++) {
    unsigned c = from[i];
    if (c < 0x80) {
      *p++ = c;
      continue;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *p++ = (0xf00 >> more & 0xff) | c >> 6 * more;
    while (more--) *p++ = 0x80 | (c >> 6 * more & 0x3f);
  }
  *p = 0;
  return s;
}

// read_npy makes a tensor of a file of numpy's format 1.0, C order, little endian.
static OrtValue *read_npy(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) fail("cannot open", path);
  fseek(f, 0, SEEK_END);
  size_t size = ftell(f);
  rewind(f);
  unsigned char *raw = malloc(size + 1); // stays: the tensor lies in it
  if (fread(raw, 1, size, f) != size || size < 10 || memcmp(raw, "\x93NUMPY\x01", 7)) fail("not a .npy file of version 1", path);
  fclose(f);
  size_t header = 10 + (raw[8] | raw[9] << 8);
  raw[header - 1] = 0;
  char *head = (char *)raw + 10, *descr = strstr(head, "'descr': '") + 10, *shape = strstr(head, "'shape': (") + 10;
  int64_t dims[16];
  size_t rank = 0, n = 1;
  for (char *end; dims[rank] = strtoll(shape, &end, 10), end != shape && rank < 15; rank++) {
    n *= dims[rank];
    shape = end + strspn(end, ", ");
  }
  const struct { const char *descr; ONNXTensorElementDataType type; size_t size; } types[] = {
    {"<f4", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 4}, {"<f8", ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, 8},
    {"<i8", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 8}, {"<i4", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, 4},
  };
  OrtValue *v = NULL;
  if (!strncmp(descr, "<U", 2)) {
    size_t width = strtoul(descr + 2, NULL, 10);
    const char **list = malloc(n * sizeof *list);
    unsigned *from = malloc(size - header);
    memcpy(from, raw + header, size - header);
    for (size_t i = 0; i < n; i++) list[i] = text(from + i * width, width);
    OrtAllocator *a;
    ok(api->GetAllocatorWithDefaultOptions(&a));
    ok(api->CreateTensorAsOrtValue(a, dims, rank, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &v));
    ok(api->FillStringTensor(v, list, n));
    return v;
  }
  OrtMemoryInfo *m;
  ok(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &m));
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strncmp(descr, types[i].descr, 3)) continue;
    void *data;
    if (posix_memalign(&data, 64, n * types[i].size + 1)) fail("no memory", path);
    memcpy(data, raw + header, n * types[i].size);
    ok(api->CreateTensorWithDataAsOrtValue(m, data, n * types[i].size, dims, rank, types[i].type, &v));
    return v;
  }
  fail("a type that is not read here", path);
  return NULL;
}

static int compare(const void *a, const void *b) { return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b); }

int main(int argc, char **argv) {
  if (argc < 5) fail("usage", "ort LIBRARY MODEL THREADS SECONDS NAME=FILE.npy ...");
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) fail("cannot load", dlerror());
  const OrtApiBase *(*base)(void) = dlsym(library, "OrtGetApiBase");
  if (!base || !(api = base()->GetApi(ORT_API_VERSION))) fail("no such API", argv[1]);
  double seconds = atof(argv[4]);

  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  ok(api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bench", &env));
  double start = now();
  ok(api->CreateSessionOptions(&options));
  ok(api->SetIntraOpNumThreads(options, atoi(argv[3])));
  ok(api->SetInterOpNumThreads(options, 1));
  ok(api->SetSessionExecutionMode(options, ORT_SEQUENTIAL));
  ok(api->CreateSession(env, argv[2], options, &session));
  double load = now() - start;

  OrtIoBinding *binding;
  OrtAllocator *allocator;
  OrtMemoryInfo *memory;
  ok(api->GetAllocatorWithDefaultOptions(&allocator));
  ok(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  ok(api->CreateIoBinding(session, &binding));
  for (int i = 5; i < argc; i++) {
    char *equals = strrchr(argv[i], '=');
    if (!equals) fail("not NAME=FILE", argv[i]);
    *equals = 0;
    ok(api->BindInput(binding, argv[i], read_npy(equals + 1)));
  }
  size_t outputs;
  char *names[64];
  ok(api->SessionGetOutputCount(session, &outputs));
  if (outputs > 64) fail("too many outputs", argv[2]);
  for (size_t i = 0; i < outputs; i++) {
    ok(api->SessionGetOutputName(session, i, allocator, &names[i]));
    ok(api->BindOutputToDevice(binding, names[i], memory));
  }
  start = now();
  ok(api->RunWithBinding(session, NULL, binding));
  double first = now() - start;
  OrtValue **out;
  size_t count;
  ok(api->GetBoundOutputValues(binding, allocator, &out, &count));
  for (size_t i = 0; i < count; i++) ok(api->BindOutput(binding, names[i], out[i])); // the same memory from now on

  long runs = 0;
  for (start = now(); now() - start < seconds / 10 || !runs; runs++) ok(api->RunWithBinding(session, NULL, binding));
  double each = (now() - start) / runs;
  int batch = each < 5e-6 ? (int)(5e-6 / each) + 1 : 1; // reading the clock takes tens of nanoseconds
  static double times[READINGS];
  long n = 0;
  runs = 0;
  start = now();
  for (double last = start; last - start < seconds || !n; n++) {
    for (int i = 0; i < batch; i++) ok(api->RunWithBinding(session, NULL, binding));
    double t = now();
    times[n % READINGS] = (t - last) / batch;
    last = t;
    runs += batch;
  }
  double took = now() - start;
  if (n > READINGS) n = READINGS;
  qsort(times, n, sizeof *times, compare);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"load_ms\":%.4f,\"first_ms\":%.4f,\"p50_us\":%.3f,\"p90_us\":%.3f,\"runs_per_s\":%.2f,\"runs\":%ld,\"peak_rss_mb\":%.2f}\n", 1e3 * load, 1e3 * first,
    1e6 * times[n / 2], 1e6 * times[n * 9 / 10], runs / took, runs, usage.ru_maxrss * 1024 / 1e6);
  return 0;
}
