"""Validates the files of a folder by their endings, each by the public validator of its format, and prints what is wrong
with them: one line a complaint, which begins with the name of the file. It uses no network.

.oscal  oscal-validate (structure and constraints of NIST), and up to 1 MB the models of compliance-trestle
.ocsf   the JSON Schemas of OCSF 1.8.0 that ocsf-json-schema makes, for each line
.asff   the request of BatchImportFindings as botocore checks it, and the documented limits
"""

import json
import sys
from pathlib import Path


def oscal(path):
    from oscal_validate import Severity, validate_file
    from trestle.oscal.assessment_results import AssessmentResults

    # The rest is what the validator says that it cannot check, in any document: such as tokens, which trestle checks.
    for finding in validate_file(path):
        if finding.severity in (Severity.ERROR, Severity.WARNING):
            yield f"{finding.severity} {finding.code} {finding.location} {finding.value}"
    # It takes minutes for a large document, whose parts are the same.
    if path.stat().st_size > 1 << 20:
        return
    document = json.loads(path.read_text())
    try:
        AssessmentResults(**document["assessment-results"])
    except ValueError as error:
        yield f"trestle: {error}"


def ocsf(path, validators={}):
    import jsonschema_rs
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    if not validators:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
        for uid in (2003, 2004, 2006):
            name = schema.lookup_class_name_from_uid(class_uid=uid)
            validators[uid] = jsonschema_rs.validator_for(schema.get_class_schema(class_name=name, profiles=[]))
    for number, line in enumerate(path.read_text().split("\n")[:-1], 1):
        event = json.loads(line)
        for error in validators[event["class_uid"]].iter_errors(event):
            yield f"{number}: {error.instance_path}: {error.message[:300]}"


def asff(path, model={}):
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    if not model:
        service = ServiceModel(Loader().load_service_model("securityhub", "service-2"))
        model["findings"] = service.operation_model("BatchImportFindings").input_shape.members["Findings"]
    findings = json.loads(path.read_text())
    for start in range(0, len(findings), 100):
        batch = findings[start : start + 100]
        report = ParamValidator().validate(batch, model["findings"])
        if report.has_errors():
            yield f"{start}: {report.generate_report()}"
        for number, finding in enumerate(batch, start):
            limits = (("Title", 256), ("Description", 1024), ("Id", 512), ("GeneratorId", 512))
            for name, limit in limits:
                if not 0 < len(finding[name]) <= limit:
                    yield f"{number}: {name} has {len(finding[name])} characters"
            if len(json.dumps(finding)) > 240_000:
                yield f"{number}: is too large"


def main(folder):
    checks = {".oscal": oscal, ".ocsf": ocsf, ".asff": asff}
    checked = 0
    for path in sorted(Path(folder).iterdir()):
        check = checks.get(path.suffix)
        if check is None:
            continue
        checked += 1
        for complaint in check(path):
            print(f"{path.name}: {complaint}")
    print(f"checked {checked}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
