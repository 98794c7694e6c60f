"""Secrets in AWS Secrets Manager."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quality_platform.config.base_models import seconds
from quality_platform.config.secret_models import AwsSecretsConfig
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.protocol import client_library

EXTRA = "aws"

_NOT_FOUND = ("ResourceNotFoundException", "InvalidRequestException", "ValidationException")
"""The second is also what a secret gets that is about to be deleted; the third, a bad name."""
_REFUSED = (
    "AccessDeniedException",
    "AccessDenied",
    "DecryptionFailure",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_BUSY = (
    "InternalServiceError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)


class AwsSecrets:
    """A region's secrets; a name is a secret's name or ARN."""

    def __init__(self, config: AwsSecretsConfig) -> None:
        self._config = config
        self._client: Any = None

    def read(self, name: str) -> str:
        """The text of the current version.

        Raises:
            SecretError: as the protocol says.
        """
        with _translated():
            if self._client is None:
                self._client = self._made()
            answer = self._client.get_secret_value(SecretId=name)
        if "SecretString" not in answer:
            raise SecretValueError("the secret is binary", allowed="a secret that is text")
        return str(answer["SecretString"])

    def _made(self) -> Any:
        boto3, botocore = client_library("boto3", EXTRA), client_library("botocore.config", EXTRA)
        _keep_quiet()
        wait = seconds(self._config.timeout)
        # Attempts are the store's to count.
        settings = botocore.Config(
            connect_timeout=wait, read_timeout=wait, retries={"total_max_attempts": 1}
        )
        return boto3.session.Session().client(
            "secretsmanager",
            region_name=self._config.region,
            endpoint_url=self._config.endpoint,
            config=settings,
        )


def _keep_quiet() -> None:
    """Keeps botocore from logging what a server answers, where somebody logs at DEBUG."""
    for name in ("botocore.parsers", "botocore.hooks"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


@contextmanager
def _translated() -> Iterator[None]:
    known = client_library("botocore.exceptions", EXTRA)
    try:
        yield
    except known.ClientError as error:
        raise _refusal(error.response.get("Error", {}).get("Code", ""), _status(error)) from None
    except (
        known.NoCredentialsError,
        known.PartialCredentialsError,
        known.CredentialRetrievalError,
    ):
        raise SecretAccessError(
            "there are no credentials for AWS",
            action="give the platform a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from None
    except known.NoRegionError:
        raise SecretError("no region is known", action="write secrets.region") from None
    except known.SSLError:
        raise SecretError(
            "AWS's certificate is not trusted", action="name its authority: AWS_CA_BUNDLE"
        ) from None
    except (known.HTTPClientError, known.ConnectionError) as error:
        raise SecretUnreachableError(
            f"AWS Secrets Manager does not answer ({type(error).__name__})",
            action="look at secrets.region, secrets.endpoint and at the network",
        ) from None
    except known.BotoCoreError as error:
        raise SecretError(
            f"AWS Secrets Manager cannot be asked ({type(error).__name__})",
            action="look at the section secrets, and at AWS's own configuration",
        ) from None


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(code: str, status: int) -> SecretError:
    if code in _NOT_FOUND:
        return SecretNotFoundError(
            "AWS Secrets Manager has no such secret", action="look at its name and secrets.region"
        )
    if code in _REFUSED or status in (401, 403):
        return SecretAccessError(
            f"AWS refuses the platform ({code})",
            action="allow it secretsmanager:GetSecretValue, and kms:Decrypt for a key of your own",
        )
    if code in _BUSY or status == 429 or status >= 500:
        return SecretUnreachableError(f"AWS Secrets Manager cannot answer now ({code})")
    return SecretError(f"AWS Secrets Manager refuses the request ({code})")
