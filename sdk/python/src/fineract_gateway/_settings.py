"""What a client is told once: the address, the credentials, and how long it is patient."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from ._flow import Retry


@dataclass(frozen=True)
class BulkCredentials:
    """The four values that identify a bulk client."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    app_identifier: str = field(repr=False)
    organisation_id: str = field(repr=False)


@dataclass(frozen=True, repr=False)
class Settings:
    """The arguments of a client, checked. An error names the argument, and not its value."""

    base_url: str
    token: str | None
    bulk_credentials: BulkCredentials | None
    api_key: str | None
    timeout: float
    retry: Retry

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise ValueError("base_url must be the address of the API, such as https://host/api/v1")
        if url.username is not None or url.password is not None:
            raise ValueError("base_url must not contain a user or a password")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        for name in ("token", "api_key"):
            check_header(name, getattr(self, name))
        if self.bulk_credentials is not None:
            for each in fields(self.bulk_credentials):
                check_header(each.name, getattr(self.bulk_credentials, each.name))

    def token_headers(self) -> dict[str, str]:
        """For operate, track and events."""
        if self.token is None:
            raise ValueError("this call needs a client with a token")
        return {"X-Internal-Token": self.token}

    def bulk_headers(self) -> dict[str, str]:
        """For batches and their events."""
        values = self.bulk_credentials
        if values is None:
            raise ValueError("this call needs a client with bulk_credentials")
        return {
            "client_id": values.client_id,
            "client_secret": values.client_secret,
            "appIdentifier": values.app_identifier,
            "organisationId": values.organisation_id,
        }

    def api_key_headers(self) -> dict[str, str]:
        """For transactions."""
        if self.api_key is None:
            raise ValueError("this call needs a client with an api_key")
        return {"Authorization": f"Token {self.api_key}"}


def check_header(name: str, value: str | None) -> None:
    """Refuses what no header can contain. Otherwise the HTTP library would show the value in its error."""
    if value is not None and not (value and value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(f"{name} must be visible ASCII characters")
