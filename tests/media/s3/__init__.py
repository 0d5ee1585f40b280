"""Tests of the S3 storage backend, against botocore and against S3 servers over HTTP."""
