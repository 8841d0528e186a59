"""Names that the standards give to claims, roles, scopes and media types."""

from __future__ import annotations

from collections.abc import Sequence

_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MESSAGE_TYPE = f"{_CLAIM}message_type"
VERSION = f"{_CLAIM}version"
DEPLOYMENT = f"{_CLAIM}deployment_id"
TARGET = f"{_CLAIM}target_link_uri"
RESOURCE_LINK = f"{_CLAIM}resource_link"
ROLES = f"{_CLAIM}roles"
CONTEXT = f"{_CLAIM}context"
CUSTOM = f"{_CLAIM}custom"
DEEP_LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
CONTENT_ITEMS = "https://purl.imsglobal.org/spec/lti-dl/claim/content_items"
DEEP_LINKING_DATA = "https://purl.imsglobal.org/spec/lti-dl/claim/data"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"

RESOURCE_REQUEST = "LtiResourceLinkRequest"
DEEP_LINKING_REQUEST = "LtiDeepLinkingRequest"
DEEP_LINKING_RESPONSE = "LtiDeepLinkingResponse"
LTI_VERSION = "1.3.0"

LINE_ITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
MEMBERS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPES = (LINE_ITEM_SCOPE, SCORE_SCOPE, MEMBERS_SCOPE)

LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
MEMBERSHIPS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"

_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


def teaches(roles: Sequence[str]) -> bool:
    """Whether somebody with these roles teaches the course.

    Only the role in the course counts: who is an instructor or an administrator of the whole institution (`person#`,
    `system/person#`) may well learn in this course, and a sub-role such as a teaching assistant's never stands alone.
    """
    return _has(roles, "Instructor")


def learns(roles: Sequence[str]) -> bool:
    """Whether somebody with these roles learns in the course."""
    return _has(roles, "Learner")


def _has(roles: Sequence[str], name: str) -> bool:
    return f"{_MEMBERSHIP}{name}" in roles or name in roles  # LTI 1.3 lets the course's roles be named in short
