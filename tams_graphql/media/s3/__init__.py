"""Storage backends in S3 buckets; boto3 (the extra ``s3``) is imported by `connection` alone."""
