"""Holds exports against what others say of their formats: one JSON question per line, one answer per line.

{"fhir": text}: what is wrong with a bundle, by HL7's JSON schema of R4 and by what that schema cannot say.
{"html": text}: what an HTML parser finds in a page.
"""

import importlib.util
import json
import pathlib
import re
import sys
from html.parser import HTMLParser

from jsonschema import Draft6Validator, ValidationError, validators

# Without importing the package, which would want a database.
PACKAGE = importlib.util.find_spec("fhirstore").submodule_search_locations[0]
SCHEMA = json.loads((pathlib.Path(PACKAGE) / "schema/fhir.schema.json").read_text("utf-8"))
assert SCHEMA["id"] == "http://hl7.org/fhir/json-schema/4.0", SCHEMA["id"]

# Cardinalities of primitives, which the schema leaves open because their values may be in extensions.
REQUIRED = {
    "Bundle": ["type"],
    "Communication": ["status"],
    "DocumentReference": ["status", "content"],
    "QuestionnaireResponse": ["status"],
    "Provenance": ["target", "recorded", "agent"],
}
# Bindings that are required, where the schema only says `code`.
STATUS = {
    "Communication": "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    "DocumentReference": "current superseded entered-in-error",
    "QuestionnaireResponse": "in-progress completed amended entered-in-error stopped",
}


def pattern(validator, wanted, instance, schema):
    """The patterns are XML Schema's, for which \\s is four characters: a no-break space is text."""
    if validator.is_type(instance, "string") and not re.search(wanted, instance, re.ASCII):
        yield ValidationError(f"{instance[:40]!r} does not match {wanted}")


Validator = validators.extend(Draft6Validator, {"pattern": pattern})


def against_schema(value, definition):
    schema = {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
    for error in Validator(schema).iter_errors(value):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"{definition}/{place}: {error.message[:200]}"


def once(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a name is there twice: {names}")
    return dict(pairs)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def empties(value, place):
    """FHIR has no empty strings, lists and objects."""
    if value in ("", [], {}) or value is None:
        yield f"{place} is empty"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from empties(inner, f"{place}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from empties(inner, f"{place}/{number}")


def fhir(text):
    try:
        bundle = json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        return [f"no JSON: {error}"]
    found = list(empties(bundle, "Bundle"))
    urls = [entry.get("fullUrl") for entry in bundle.get("entry", [])]
    found += [f"{url} is there twice" for url in set(urls) if urls.count(url) > 1]
    found += [f"{url} leads nowhere" for url in references(bundle) if url not in urls]
    for resource in [bundle] + [entry.get("resource", {}) for entry in bundle.get("entry", [])]:
        kind = resource.get("resourceType")
        found += [f"{kind} has no {name}" for name in REQUIRED.get(kind, []) if name not in resource]
        if kind in STATUS and resource.get("status") not in STATUS[kind].split():
            found.append(f"{kind} is {resource.get('status')!r}")
        if kind != "Bundle" and kind in SCHEMA["discriminator"]["mapping"]:
            found += against_schema(resource, kind)
    for entry in bundle.get("entry", []):
        if entry.get("fullUrl") != f"urn:uuid:{entry.get('resource', {}).get('id')}":
            found.append(f"{entry.get('fullUrl')} is not the address of its resource")
    found += against_schema(bundle, "Bundle")
    return found


class Page(HTMLParser):
    VOID = {"meta", "br", "hr", "img", "input", "link", "base"}
    LOADING = {"src", "href", "action", "srcset", "data", "poster", "background", "formaction", "ping", "style"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.loads, self.handlers = {}, [], [], []
        self.policy, self.style, self.articles, self.ids, self.unbalanced = None, "", [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        attrs = dict(attrs)
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]
        self.loads += [value for name, value in attrs.items() if name in self.LOADING]
        self.handlers += [name for name in attrs if name.startswith("on")]
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "article":
            self.articles.append({"id": attrs.get("id"), "text": "", "marks": [], "times": [], "all": ""})
        if tag == "time" and "article" in self.open:
            self.articles[-1]["times"].append(attrs.get("datetime"))
        if tag == "li" and "article" in self.open:
            self.articles[-1]["marks"].append("")
        if tag not in self.VOID:
            self.open.append((tag, attrs.get("class")) if tag == "div" else tag)

    def handle_endtag(self, tag):
        last = self.open.pop() if self.open else None
        if (last[0] if isinstance(last, tuple) else last) != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if "style" in self.open:
            self.style += data
        if "article" in self.open:
            article = self.articles[-1]
            article["all"] += data
            if self.open[-1] == ("div", "text") and ("div", "earlier") not in self.open:
                article["text"] += data
            if "li" in self.open:
                article["marks"][-1] += data


def html(text):
    page = Page()
    page.feed(text)
    page.close()
    return {
        "tags": page.tags,
        "loads": page.loads,
        "handlers": page.handlers,
        "policy": page.policy,
        "style": page.style,
        "articles": page.articles,
        "ids": page.ids,
        "unbalanced": page.unbalanced,
        "open": [str(tag) for tag in page.open],
    }


for line in sys.stdin:
    question = json.loads(line)
    answer = {"wrong": fhir(question["fhir"])} if "fhir" in question else html(question["html"])
    print(json.dumps(answer), flush=True)
