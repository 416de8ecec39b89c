"""Compares the float32 matrix product with OpenBLAS (numpy) and onnxruntime's MatMul: same shapes, same threads, interleaved.

Usage: gemm.py PROGRAM [ROUNDS] [MxKxN[:THREADS] …]   PROGRAM is test/bench/gemm, built. Prints JSON: one object for each shape and number of
threads, with the medians in seconds, GFLOP/s, and the ratios peer time / Jarvis time.
Each number of threads runs in a process of its own, because OpenBLAS reads OPENBLAS_NUM_THREADS when it is loaded. On a machine with other load, GEMM_CLOCK=cpu measures what the thread used; only one thread is fair so.
"""
import json
import os
import subprocess
import sys
import time

SHAPES = [(128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (64, 3072, 768), (1, 768, 768)]


def onnx_matmul(b):
    """An ONNX file: y = MatMul(x, b), b constant, or the second input where it is None. Written by hand: the format is small."""
    def varint(n):
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])

    def field(number, payload):
        return varint(number << 3 | 2) + varint(len(payload)) + payload

    def number(n, value):
        return varint(n << 3) + varint(value)

    def port(name):
        shape = b"".join(field(1, b"") for _ in range(2))  # two dimensions of any size
        return field(1, name) + field(2, field(1, number(1, 1) + field(2, shape)))

    node = field(1, b"x") + field(1, b"b") + field(2, b"y") + field(4, b"MatMul")
    graph = field(1, node) + field(2, b"g")
    if b is None:
        graph += field(11, port(b"x")) + field(11, port(b"b"))
    else:
        tensor = b"".join(number(1, d) for d in b.shape) + number(2, 1) + field(8, b"b") + field(9, b.tobytes())
        graph += field(5, tensor) + field(11, port(b"x"))
    graph += field(12, port(b"y"))
    return number(1, 8) + field(7, graph) + field(8, number(2, 17))


class Ort:
    """onnxruntime with the operands bound to memory once, so that a run costs no copies."""

    def __init__(self, threads, a, b, c, constant):
        import onnxruntime as ort

        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
        self.session = ort.InferenceSession(onnx_matmul(b if constant else None), o, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.keep = [ort.OrtValue.ortvalue_from_numpy(v) for v in (a, b)]
        self.binding.bind_ortvalue_input("x", self.keep[0])
        if not constant:
            self.binding.bind_ortvalue_input("b", self.keep[1])
        self.binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(c))

    def run(self):
        self.session.run_with_iobinding(self.binding)


def median(v):
    v = sorted(v)
    return v[len(v) // 2]


def compare(program, threads, rounds, shapes):
    import numpy as np

    jarvis = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "GOMAXPROCS": str(threads)})

    def ask(shape, kind, repeats):
        jarvis.stdin.write(" ".join(map(str, (*shape, threads, kind, repeats))) + "\n")
        jarvis.stdin.flush()
        return list(map(float, jarvis.stdout.readline().split()))

    clock = time.thread_time if os.environ.get("GEMM_CLOCK") == "cpu" else time.perf_counter

    def timed(f, repeats):
        out = []
        for _ in range(repeats):
            t = clock()
            f()
            out.append(clock() - t)
        return out

    rows = []
    for shape in shapes:
        m, k, n = shape
        rng = np.random.default_rng(1)
        a, b = rng.random((m, k), np.float32) - 0.5, rng.random((k, n), np.float32) - 0.5
        c = np.empty((m, n), np.float32)
        constant, changing = Ort(threads, a, b, c, True), Ort(threads, a, b, c, False)
        repeats = max(3, min(200, int(2e8 / (2 * m * k * n))))
        times = {}
        for r in range(rounds + 1):
            for name, f in [
                ("jarvis", lambda: ask(shape, "constant", repeats)),
                ("openblas", lambda: timed(lambda: np.matmul(a, b, out=c), repeats)),
                ("jarvis_changing", lambda: ask(shape, "changing", repeats)),
                ("ort", lambda: timed(constant.run, repeats)),
                ("ort_changing", lambda: timed(changing.run, repeats)),
            ]:
                took = f()
                if r:  # the first round warms up
                    times.setdefault(name, []).extend(took)
        row = {"m": m, "k": k, "n": n, "threads": threads}
        for kind, pick in (("median", median), ("min", min)):
            row[kind] = {name: pick(v) for name, v in times.items()}
            s = row[kind]
            row[kind + "_gflops"] = {name: round(2e-9 * m * k * n / v, 1) for name, v in s.items()}
            row[kind + "_ratio"] = {
                "openblas": round(s["openblas"] / s["jarvis"], 3), "openblas_changing": round(s["openblas"] / s["jarvis_changing"], 3),
                "ort": round(s["ort"] / s["jarvis"], 3), "ort_changing": round(s["ort_changing"] / s["jarvis_changing"], 3),
            }
        rows.append(row)
    jarvis.stdin.close()
    jarvis.wait()
    return rows


def main():
    program, rounds, only = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15, sys.argv[3:]
    if "GEMM_THREADS" in os.environ:
        shapes = [tuple(map(int, s.split("x"))) for s in only] or SHAPES
        json.dump(compare(program, int(os.environ["GEMM_THREADS"]), rounds, shapes), sys.stdout)
        return
    rows = []
    for threads in (1,) if os.environ.get("GEMM_CLOCK") == "cpu" else (1, 2):
        env = {**os.environ, "GEMM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        rows += json.loads(subprocess.run([sys.executable, __file__, program, str(rounds), *only], env=env, stdout=subprocess.PIPE, check=True).stdout)
    json.dump(rows, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
