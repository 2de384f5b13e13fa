#!/usr/bin/env python3
"""Makes a folder of CloudTrail files as S3 has them, always the same for the same size.

usage: trails.py FOLDER MEGABYTES     megabytes of JSON before it is compressed

Some 3,000 kinds of call of 60 services; about 3 of 100 records are about secrets.
"""
import gzip
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone

ACCOUNT = "111122223333"
REGIONS = ["eu-west-1", "us-east-1"]
random.seed(11)
SERVICES = [f"{word}{number}" for word in ("ec2", "sts", "s3", "logs", "lambda", "dynamodb") for number in ("", *range(2, 11))]
VERBS = ["Describe", "List", "Get", "Create", "Update", "Put", "Delete", "Tag", "Assume", "Invoke"]
NOUNS = ["Instances", "Role", "Bucket", "LogGroup", "Function", "Table", "Volumes", "Subnets", "Policy", "Queue"]
CALLS = [(service, verb + random.choice(NOUNS) + str(n)) for service in SERVICES for verb in VERBS for n in range(5)]
PRINCIPALS = [(f"role-{n}", f"session-{n * 7 % 1000}", f"AROA{n:016d}") for n in range(400)]
SECRETS = [f"prod/service-{n}/db-{random.choice('abcdef')}{n:05d}" for n in range(2000)]
AGENTS = ["aws-cli/2.31.3 md/awscrt#0.27 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13", "AWS Internal",
          "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#5.10 lang/python#3.12 cfg/retry-mode#standard",
          "aws-sdk-go-v2/1.36 os/linux lang/go#1.24 md/GOOS#linux api/sts#1.33", "secretsmanager.amazonaws.com"]


def identifier():
    number = random.getrandbits(128)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def secret_arn(region):
    number = min(int(random.expovariate(0.004)), len(SECRETS) - 1)
    return f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{SECRETS[number]}-Ab{number:04d}"


def of_secret(region):
    arn = secret_arn(region)
    kind = random.random()
    if kind < 0.55:
        return "secretsmanager", "GetSecretValue", {"secretId": arn}, None
    version = identifier()
    if kind < 0.75:
        context = {"SecretARN": arn, "SecretVersionId": version}
        return "kms", random.choice(["Decrypt", "GenerateDataKey"]), {"encryptionContext": context}, None
    if kind < 0.9:
        request = {"clientRequestToken": version, "secretId": arn, "versionStages": ["AWSCURRENT"]}
        return "secretsmanager", "PutSecretValue", request, {"aRN" if kind < 0.8 else "arn": arn}
    return "ssm", "GetParameter", {"name": f"/app/{arn[-5:]}", "withDecryption": True}, None


def parameters():
    kind = random.random()
    if kind < 0.4:
        return {"filterSet": {}, "maxResults": random.randint(5, 1000), "nextToken": identifier()}
    if kind < 0.6:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]})
        return {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/r{random.randint(1, 900)}", "policy": policy}
    if kind < 0.8:
        return {"instancesSet": {"items": [{"instanceId": f"i-{random.getrandbits(64):016x}"} for _ in range(random.randint(1, 9))]}}
    return None


def record(time, region):
    relevant = random.random() < 0.03
    if relevant:
        service, name, request, response = of_secret(region)
    elif random.random() < 0.12:
        service, name = "kms", random.choice(["Decrypt", "GenerateDataKey"])
        request, response = {"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::bucket-{random.randint(1, 500)}"}}, None
    else:
        service, name = CALLS[min(int(random.expovariate(0.004)), len(CALLS) - 1)]
        request = parameters()
        response = {"requestId": identifier(), "_return": True} if random.random() < 0.3 else None
    role, session, principal = random.choice(PRINCIPALS)
    key = f"{service}.amazonaws.com"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": f"{principal}:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}", "accountId": ACCOUNT,
            "accessKeyId": f"EXAMPLE{random.getrandbits(48):012X}",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": principal, "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                                  "accountId": ACCOUNT, "userName": role},
                "attributes": {"creationDate": time.strftime("%Y-%m-%dT%H:00:00Z"), "mfaAuthenticated": "false"},
            },
        },
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "eventSource": key, "eventName": name, "awsRegion": region,
        "sourceIPAddress": f"10.{random.randint(0, 9)}.{random.randint(0, 255)}.{random.randint(1, 254)}",
        "userAgent": random.choice(AGENTS), "requestParameters": request, "responseElements": response,
        "requestID": identifier(), "eventID": identifier(), "readOnly": random.random() < 0.8,
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                       "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com"},
    }


def main():
    folder, size = sys.argv[1], int(sys.argv[2]) << 20
    time = datetime(2026, 1, 1, tzinfo=timezone.utc)
    written = 0
    while written < size:
        for region in REGIONS:
            records = [record(time + timedelta(seconds=random.random() * 300), region) for _ in range(random.randint(200, 6000))]
            text = json.dumps({"Records": records}, separators=(",", ":")).encode()
            written += len(text)
            day = f"{folder}/AWSLogs/{ACCOUNT}/CloudTrail/{region}/{time:%Y/%m/%d}"
            os.makedirs(day, exist_ok=True)
            name = f"{ACCOUNT}_CloudTrail_{region}_{time + timedelta(minutes=5):%Y%m%dT%H%MZ}_{random.getrandbits(64):016x}.json.gz"
            with open(f"{day}/{name}", "wb") as file:
                file.write(gzip.compress(text, 6, mtime=0))
        time += timedelta(minutes=5)


main()
