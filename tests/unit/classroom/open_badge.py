"""What the specification of Open Badges 3.0 asks of a credential, as a JSON schema; written after its data model.

Of the classes that certificates have it holds all fields that must be there, their types and their closed lists.
"""

from __future__ import annotations

from typing import Any

URI = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*:\\S+$"}
TEXT = {"type": "string", "minLength": 1}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
ACHIEVEMENTS = """
    Achievement ApprenticeshipCertificate Assessment Assignment AssociateDegree Award Badge BachelorDegree Certificate
    CertificateOfCompletion Certification CommunityService Competency Course CoCurricular Degree Diploma DoctoralDegree
    Fieldwork GeneralEducationDevelopment JourneymanCertificate LearningProgram License Membership ProfessionalDoctorate
    QualityAssuranceCredential MasterCertificate MasterDegree MicroCredential ResearchDoctorate SecondarySchoolDiploma
"""
RESULTS = """
    GradePointAverage LetterGrade Percent PerformanceLevel PredictedScore RawScore Result RubricCriterion
    RubricCriterionLevel RubricScore ScaledScore Status
"""
STATES = "Completed Enrolled Failed InProgress OnHold Provisional Withdrew"
IDENTIFIERS = """
    name sourcedId systemId productId userName accountId emailAddress nationalIdentityNumber isbn issn lisSourcedId
    oneRosterSourcedId sisSourcedId ltiContextId ltiDeploymentId ltiToolId ltiPlatformId ltiUserId identifier
"""


def one_of(words: str) -> dict[str, Any]:
    """One of these words."""
    return {"enum": words.split()}


def kinds(*names: str) -> dict[str, Any]:
    """A list of types that has one of these."""
    return {"type": "array", "items": TEXT, "contains": {"enum": list(names)}}


def thing(required: dict[str, Any], optional: dict[str, Any] | None = None, *, closed: bool = False) -> dict[str, Any]:
    """An object with fields that must, and fields that may be there."""
    fields = {**required, **(optional or {})}
    return {
        "type": "object", "required": list(required), "properties": fields, "additionalProperties": not closed,
    }  # fmt: skip


def several(of: dict[str, Any]) -> dict[str, Any]:
    """A list of these."""
    return {"type": "array", "items": of}


IDENTITY = thing(
    {"type": {"const": "IdentityObject"}, "hashed": {"type": "boolean"}, "identityHash": TEXT,
     "identityType": one_of(IDENTIFIERS)},
    {"salt": TEXT},
    closed=True,
)  # fmt: skip
DESCRIPTION = thing(
    {"id": URI, "type": kinds("ResultDescription"), "name": TEXT, "resultType": one_of(RESULTS)},
    {"valueMin": TEXT, "valueMax": TEXT},
)
ACHIEVEMENT = thing(
    {"id": URI, "type": kinds("Achievement"), "name": TEXT, "description": TEXT,
     "criteria": {"type": "object", "properties": {"id": URI, "narrative": TEXT}, "minProperties": 1}},
    {"achievementType": one_of(ACHIEVEMENTS), "resultDescription": several(DESCRIPTION)},
)  # fmt: skip
RESULT = thing(
    {"type": kinds("Result")}, {"resultDescription": URI, "value": TEXT, "status": one_of(STATES)}
)  # fmt: skip
SUBJECT = {
    **thing(
        {"type": kinds("AchievementSubject"), "achievement": ACHIEVEMENT},
        {"id": URI, "identifier": several(IDENTITY), "result": several(RESULT)},
    ),
    "anyOf": [{"required": ["id"]}, {"required": ["identifier"]}],
}
CREDENTIAL = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **thing(
        {
            "@context": {
                "type": "array", "minItems": 2, "items": URI,
                "prefixItems": [
                    {"const": "https://www.w3.org/ns/credentials/v2"},
                    {"pattern": r"^https://purl\.imsglobal\.org/spec/ob/v3p0/context-3\.\d\.\d\.json$"},
                ],
            },
            "id": URI,
            "type": {"allOf": [kinds("VerifiableCredential"), kinds("OpenBadgeCredential", "AchievementCredential")]},
            "issuer": thing({"id": URI, "type": kinds("Profile")}, {"name": TEXT, "url": URI}),
            "validFrom": TIME,
            "credentialSubject": SUBJECT,
        },
        {
            "name": TEXT, "validUntil": TIME,
            "evidence": several(thing({"type": kinds("Evidence")}, {"id": URI, "name": TEXT, "narrative": TEXT})),
            "credentialSchema": several(thing({"id": URI, "type": TEXT})),
        },
    ),
}  # fmt: skip
