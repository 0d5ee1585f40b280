"""What signing the URLs of a page of segments costs, against boto3."""

import uuid
from typing import Any

import boto3
from botocore.config import Config

from tams_graphql.media.s3.connection import base_url
from tams_graphql.media.s3.signing import Credentials, Presigner
from tests.bench.harness import Arm, Comparison

SEGMENTS = 1000
REGION = "eu-west-1"
BUCKET = "media"


def presigning() -> Comparison:
    """A GET and a HEAD URL for each of a thousand segments."""
    credentials = Credentials("AKIDEXAMPLE", "example-secret")
    client: Any = boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        config=Config(signature_version="s3v4"),
    )
    presigner = Presigner(base_url(client, BUCKET), REGION, lambda: credentials)
    keys = [uuid.uuid4().hex for _ in range(SEGMENTS)]

    def ours() -> list[str]:
        return presigner.urls("GET", keys) + presigner.urls("HEAD", keys)

    def boto3s() -> list[str]:
        return [
            client.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key})
            for operation in ("get_object", "head_object")
            for key in keys
        ]

    arms = [Arm("this server", ours), Arm("boto3", boto3s)]
    return Comparison(
        f"What does presigning {SEGMENTS} segments x 2 URLs cost?", "page", arms, rounds=10
    )
