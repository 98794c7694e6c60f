"""The parts of a contract that people read: team, roles, support, price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quality_platform.contracts.models import Price, Role, SupportChannel, TeamMember


def team(data: Mapping[str, Any]) -> tuple[TeamMember, ...]:
    """The members; v3.0 has a list of members, v3.1 a team with members."""
    written = data.get("team")
    members = written.get("members") if isinstance(written, dict) else written
    return tuple(
        TeamMember(
            username=entry.get("username") or "",
            name=entry.get("name") or "",
            role=entry.get("role") or "",
            description=entry.get("description") or "",
            date_in=entry.get("dateIn") or "",
            date_out=entry.get("dateOut") or "",
        )
        for entry in members or ()
    )


def roles(data: Mapping[str, Any]) -> tuple[Role, ...]:
    """The access roles."""
    return tuple(
        Role(
            role=entry["role"],
            access=entry.get("access") or "",
            description=entry.get("description") or "",
            first_level_approvers=entry.get("firstLevelApprovers") or "",
            second_level_approvers=entry.get("secondLevelApprovers") or "",
        )
        for entry in data.get("roles") or ()
    )


def support(data: Mapping[str, Any]) -> tuple[SupportChannel, ...]:
    """Where people ask."""
    return tuple(
        SupportChannel(
            channel=entry["channel"],
            url=entry.get("url") or "",
            tool=entry.get("tool") or "",
            scope=entry.get("scope") or "",
            description=entry.get("description") or "",
            invitation_url=entry.get("invitationUrl") or "",
        )
        for entry in data.get("support") or ()
    )


def price(data: Mapping[str, Any]) -> Price | None:
    """The price, or None where there is none."""
    entry = data.get("price")
    if not entry:
        return None
    return Price(
        entry.get("priceAmount"), entry.get("priceCurrency") or "", entry.get("priceUnit") or ""
    )
