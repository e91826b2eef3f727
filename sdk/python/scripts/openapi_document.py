"""Reads the schemas of an OpenAPI 3.1 document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]


@dataclass
class Flat:
    """A schema without `$ref`, `allOf` and `oneOf`: what a value may be."""

    schema: Schema = field(default_factory=dict)
    properties: dict[str, Schema] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    choices: list[Any] = field(default_factory=list)
    """The values of an enumeration."""
    variants: list[Flat] = field(default_factory=list)
    """The members of a union that are not all objects."""
    is_nullable: bool = False

    @property
    def description(self) -> str:
        return str(self.schema.get("description", ""))

    def identity(self) -> str:
        """Two objects with the same fields are the same class."""
        return json.dumps([self.properties, sorted(self.required)], sort_keys=True)


class Document:
    """An OpenAPI document."""

    def __init__(self, document: Schema) -> None:
        self.document = document

    def flatten(self, schema: Schema | bool) -> Flat:
        if isinstance(schema, bool):
            return Flat()
        if "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self.flatten({**rest, "allOf": [self.target(schema["$ref"]), *rest.get("allOf", [])]})
        flat = Flat(schema, dict(schema.get("properties", {})), set(schema.get("required", [])))
        choices = [schema["const"]] if "const" in schema else schema.get("enum", [])
        flat.is_nullable = "null" in types_of(schema) or None in choices
        flat.choices = [choice for choice in choices if choice is not None]
        inherited: dict[str, Schema] = {}
        for part in map(self.flatten, schema.get("allOf", [])):
            inherited |= part.properties
            flat.required |= part.required
            flat.choices = flat.choices or part.choices
            flat.variants = flat.variants or part.variants
            flat.is_nullable |= part.is_nullable
            flat.schema = {**part.schema, **flat.schema}
        flat.properties = inherited | flat.properties
        union = [self.flatten(part) for part in schema.get("oneOf") or schema.get("anyOf") or []]
        return self.unite(flat, union) if union else flat

    def target(self, reference: str) -> Schema:
        found = self.document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return found

    def unite(self, flat: Flat, union: list[Flat]) -> Flat:
        """Adds a union. Objects are merged into one: what not all of them require is optional."""
        parts = [part for part in union if part.schema.get("type") != "null"]
        flat.is_nullable |= len(parts) < len(union) or any(part.is_nullable for part in parts)
        if len(parts) == 1:
            only = parts[0]
            only.is_nullable |= flat.is_nullable
            if flat.description:
                only.schema = {**only.schema, "description": flat.description}
            return only
        if all(part.properties for part in parts):
            # A union beside properties only restricts them, such as "at least one of these keys".
            own = flat.properties.keys()
            names = [name for part in parts for name in part.properties if name not in own]
            for name in dict.fromkeys(names):
                found = [part.properties[name] for part in parts if name in part.properties]
                flat.properties[name] = self.either(found)
            flat.required |= set.intersection(*(part.required for part in parts))
        elif all(part.choices for part in parts):
            flat.choices = list(dict.fromkeys(choice for part in parts for choice in part.choices))
        else:
            flat.variants = parts
        return flat

    def either(self, schemas: list[Schema]) -> Schema:
        distinct = {json.dumps(schema, sort_keys=True): schema for schema in schemas}
        if len(distinct) == 1:
            return schemas[0]
        return {"anyOf": list(distinct.values()), "description": self.flatten(schemas[0]).description}

    def route(self, wanted: str) -> Schema:
        method, path = wanted.split()
        for name, item in self.document["paths"].items():
            if shape(name) == shape(path) and method.lower() in item:
                operation: Schema = item[method.lower()]
                return operation
        raise SystemExit(f"the OpenAPI file has no {wanted}")

    def body_of(self, holder: Schema, place: str) -> Schema:
        holder = self.target(holder["$ref"]) if "$ref" in holder else holder
        for media_type, content in holder.get("content", {}).items():
            if media_type.split(";")[0] == "application/json":
                schema: Schema = content["schema"]
                return schema
        raise SystemExit(f"{place} has no JSON schema")


def types_of(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")
