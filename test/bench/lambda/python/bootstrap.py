# The peer in Python: a pickled scikit-learn pipeline from S3, spoken to by the Lambda Runtime API. Imports are only those
# that the work needs, and the API is spoken by hand: awslambdaric would start later, not earlier.
import http.client
import io
import json
import os

import boto3
import joblib
import numpy as np
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(s3={"addressing_style": "path"}))
body = s3.get_object(Bucket=os.environ["S3_BUCKET"], Key=os.environ["S3_KEY"])["Body"].read()
loaded = joblib.load(io.BytesIO(body))
columns, model = loaded["columns"], loaded["model"]

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    response = api.getresponse()
    event = json.loads(response.read())
    rows = json.loads(event["body"])["rows"]
    x = np.array([[row.get(c) for c in columns] for row in rows], object)
    prices = [{"prediction": p} for p in model.predict(x).tolist()]
    answer = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps({"predictions": prices})}
    api.request("POST", f"/2018-06-01/runtime/invocation/{response.headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps(answer))
    api.getresponse().read()
