// The peer in JavaScript: the same ONNX file from the same S3, by onnxruntime-node, spoken to by the Lambda Runtime API.
// It is bundled and minified before it is measured, as the AWS documentation advises for quick starts.
import http from "node:http";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { InferenceSession, Tensor } from "onnxruntime-node";

const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function load() {
  const s3 = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: process.env.AWS_REGION, forcePathStyle: true });
  const object = await s3.send(new GetObjectCommand({ Bucket: process.env.S3_BUCKET, Key: process.env.S3_KEY }));
  return InferenceSession.create(await object.Body.transformToByteArray());
}

function feeds(session, rows) {
  const out = {};
  for (const { name, type } of session.inputMetadata) {
    const values = rows.map((row) => row[name]);
    out[name] = type === "string"
      ? new Tensor("string", values.map((v) => v ?? ""), [rows.length, 1])
      : new Tensor("float32", Float32Array.from(values, (v) => v ?? NaN), [rows.length, 1]);
  }
  return out;
}

async function main() {
  const session = await load();
  for (;;) {
    const { headers, body } = await call("GET", "next");
    const { rows } = JSON.parse(JSON.parse(body).body);
    const { prediction } = await session.run(feeds(session, rows));
    const predictions = Array.from(prediction.data, (p) => ({ prediction: p }));
    const answer = { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ predictions }) };
    await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
  }
}

main();
