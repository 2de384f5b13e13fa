"""Puts three hours of CloudTrail into buckets, with the digests that CloudTrail signs, and serves what `aws cloudtrail
validate-logs` asks of CloudTrail itself.

usage: digests.py S3_ADDRESS

The bucket `whole` is as AWS leaves it. In the bucket `forged` the digest of the second hour is signed with another key than
the published one. Prints the port that it serves on, and serves until it is killed.

Format: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""
import base64
import gzip
import hashlib
import http.server
import json
import sys
from datetime import datetime, timedelta, timezone

import boto3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ACCOUNT, REGION = "111122223333", "us-east-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-a1B2c3"
START = datetime(2026, 2, 1, tzinfo=timezone.utc)
HOURS = 3
BUCKETS = ("whole", "forged")


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def write(time, number):
    """The record of a change of the secret."""
    token = f"00000000-0000-4000-8000-{number:012d}"
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "accountId": ACCOUNT},
        "eventTime": text(time), "eventSource": "secretsmanager.amazonaws.com", "eventName": "PutSecretValue",
        "awsRegion": REGION, "requestParameters": {"secretId": SECRET, "clientRequestToken": token},
        "responseElements": {"arn": SECRET}, "eventID": f"11111111-0000-4000-8000-{number:012d}",
        "recipientAccountId": ACCOUNT,
    }


class Chain:
    """The digests of one bucket, each of which names the one before."""

    def __init__(self, s3, bucket):
        self.s3, self.bucket, self.previous = s3, bucket, None
        s3.create_bucket(Bucket=bucket)

    def key(self, kind, name, time):
        return f"AWSLogs/{ACCOUNT}/{kind}/{REGION}/{time:%Y/%m/%d}/{ACCOUNT}_{kind}_{REGION}_{name}.json.gz"

    def log(self, hour, number):
        """Writes a log file of one record; gives its entry in the digest."""
        time = START + timedelta(hours=hour, minutes=10 + 20 * number)
        data = json.dumps({"Records": [write(time, 10 * hour + number)]}).encode()
        key = self.key("CloudTrail", f"{time + timedelta(minutes=5):%Y%m%dT%H%MZ}_random{hour}{number}", time)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(data))
        return {"s3Bucket": self.bucket, "s3Object": key, "hashValue": sha256(data), "hashAlgorithm": "SHA-256",
                "newestEventTime": text(time), "oldestEventTime": text(time)}

    def hour(self, hour, fingerprint, private_key):
        """Writes the logs of an hour, and the digest of them, with its signature where S3 keeps it."""
        start = START + timedelta(hours=hour)
        end = start + timedelta(hours=1)
        key = self.key("CloudTrail-Digest", f"{self.bucket}_{REGION}_{end:%Y%m%dT%H%M%SZ}", end)
        logs = [self.log(hour, number) for number in range(2)]
        before = self.previous or {"key": None, "hash": None, "signature": None}
        data = json.dumps({
            "awsAccountId": ACCOUNT, "digestStartTime": text(start), "digestEndTime": text(end),
            "digestS3Bucket": self.bucket, "digestS3Object": key, "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": logs[-1]["newestEventTime"],
            "oldestEventTime": logs[0]["oldestEventTime"], "previousDigestS3Bucket": before["key"] and self.bucket,
            "previousDigestS3Object": before["key"], "previousDigestHashValue": before["hash"],
            "previousDigestHashAlgorithm": before["key"] and "SHA-256",
            "previousDigestSignature": before["signature"], "logFiles": logs,
        }).encode()
        message = f"{text(end)}\n{self.bucket}/{key}\n{sha256(data)}\n{before['signature'] or 'null'}"
        signature = private_key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(data), Metadata=metadata)
        self.previous = {"key": key, "hash": sha256(data), "signature": signature}


def main():
    keys = {"endpoint_url": sys.argv[1], "region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    s3 = boto3.client("s3", **keys)
    own, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    public = own.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    fingerprint = hashlib.md5(public).hexdigest()
    for bucket in BUCKETS:
        chain = Chain(s3, bucket)
        for hour in range(HOURS):
            chain.hour(hour, fingerprint, other if bucket == "forged" and hour == 1 else own)
    answers = {
        "ListPublicKeys": {"PublicKeyList": [{"Fingerprint": fingerprint, "Value": base64.b64encode(public).decode(),
                                              "ValidityStartTime": 0, "ValidityEndTime": 4_000_000_000}]},
        "DescribeTrails": {"trailList": [{"Name": bucket, "S3BucketName": bucket, "HomeRegion": REGION,
                                          "TrailARN": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{bucket}"}
                                         for bucket in BUCKETS]},
    }

    class CloudTrail(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = json.dumps(answers[self.headers["x-amz-target"].split(".")[-1]]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            """Says nothing of the requests."""

    server = http.server.HTTPServer(("127.0.0.1", 0), CloudTrail)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
