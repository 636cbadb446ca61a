"""Reads a CodeGeneratorRequest into the contract model.

Owns the decoding of our custom options. Must never know what is emitted from them. A private
descriptor pool decodes the options, so that the plugin needs no generated code of its own.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor, ServiceDescriptor

from protoc_gen_titan.comments import read_comments
from protoc_gen_titan.model import (
    ConsumerSpec,
    Contract,
    DenialSpec,
    EnumSpec,
    EventSpec,
    FieldSpec,
    MessageSpec,
    MethodSpec,
    ParticipantSpec,
    RuleSpec,
    StreamSpec,
)

OPTIONS = "titan.options.v1."
REJECT_ENUM_SUFFIX = "RejectReason"
_KINDS: dict[int, str] = {
    int(value): name.removeprefix("TYPE_").lower()
    for name, value in descriptor_pb2.FieldDescriptorProto.Type.items()
}


class OptionReader:
    """Decodes options of descriptors with the extensions of one request."""

    def __init__(self, pool: descriptor_pool.DescriptorPool, files: list[str]) -> None:
        message_factory.GetMessageClassesForFiles(files, pool)  # registers the extensions
        self._pool = pool
        self._classes: dict[str, Any] = {}

    def get(self, descriptor: Any, option: str) -> Any:
        """Value of the option, or None when it is not set."""
        raw = descriptor.GetOptions()
        name = raw.DESCRIPTOR.full_name
        if name not in self._classes:
            self._classes[name] = message_factory.GetMessageClass(
                self._pool.FindMessageTypeByName(name)
            )
        options = self._classes[name].FromString(raw.SerializeToString())
        extension = self._pool.FindExtensionByName(OPTIONS + option)
        if extension.is_repeated:
            return list(options.Extensions[extension])
        return options.Extensions[extension] if options.HasExtension(extension) else None


def read_contract(request: plugin_pb2.CodeGeneratorRequest) -> Contract:
    """The contract of all titan.* files in the request, option definitions left out."""
    pool = descriptor_pool.DescriptorPool()
    for proto in request.proto_file:
        pool.Add(proto)
    options = OptionReader(pool, [f.name for f in request.proto_file])
    ours = sorted(
        (f for f in request.proto_file if _is_contract(f.package)), key=lambda f: str(f.name)
    )
    files = [pool.FindFileByName(f.name) for f in ours]
    descriptors = [d for f in files for d in f.message_types_by_name.values()]
    enums = [e for f in files for e in f.enum_types_by_name.values()]
    services = [s for f in files for s in f.services_by_name.values()]
    messages = tuple(_message(d, options) for d in descriptors)
    streams = [_stream(s, f) for f in files for s in options.get(f, "stream") or ()]
    events = [
        _event(message, option)
        for message, descriptor in zip(messages, descriptors, strict=True)
        if (option := options.get(descriptor, "event")) is not None
    ]
    participants = [
        _participant(option, service)
        for service in services
        if (option := options.get(service, "participant")) is not None
    ]
    rejects = [e for e in enums if e.name.endswith(REJECT_ENUM_SUFFIX)]
    return Contract(
        messages=messages,
        enums=tuple(_enum(e) for e in enums),
        streams=tuple(sorted(streams, key=lambda s: s.name)),
        events=tuple(sorted(events, key=lambda e: e.message.full_name)),
        participants=tuple(sorted(participants, key=lambda p: p.name)),
        methods=tuple(m for s in services for m in _methods(s, options)),
        denials=tuple(d for e in rejects for d in _denials(e, options)),
        nested=tuple(
            f"{d.file.name}: {n.full_name}"
            for d in descriptors
            for n in (*d.nested_types, *d.enum_types)
        ),
        comments=read_comments(ours),
    )


def _is_contract(package: str) -> bool:
    return package.startswith("titan.") and f"{package}." != OPTIONS


def _event(message: MessageSpec, option: Any) -> EventSpec:
    return EventSpec(
        message=message,
        subject=option.subject,
        keys=tuple(option.key),
        stream=option.stream,
        policy_hash_exempt=option.policy_hash_exempt,
    )


def _value_name(message: Any, field: str) -> str:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(enum.values_by_number[getattr(message, field)].name)


def _stream(option: Any, file: Any) -> StreamSpec:
    return StreamSpec(
        name=option.name,
        storage=_value_name(option, "storage").removeprefix("STORAGE_").lower(),
        discard=_value_name(option, "discard").removeprefix("DISCARD_").lower(),
        max_age_ms=option.max_age_ms,
        max_bytes=option.max_bytes,
        duplicate_window_ms=option.duplicate_window_ms,
        deny_delete=option.deny_delete,
        max_message_bytes=option.max_message_bytes,
        package=file.package,
        file=file.name,
    )


def _enum(enum: EnumDescriptor) -> EnumSpec:
    return EnumSpec(
        enum.name,
        enum.full_name,
        enum.file.package,
        enum.file.name,
        tuple((v.name, v.number) for v in enum.values),
    )


def _denials(enum: EnumDescriptor, options: OptionReader) -> list[DenialSpec]:
    found = []
    for value in enum.values:
        option = options.get(value, "denial")
        if value.number == 0:
            continue
        found.append(
            DenialSpec(
                enum=enum.full_name,
                value=value.name,
                number=value.number,
                hint=option.hint if option else "",
                grpc_status=option.grpc_status if option else "",
                retryable=bool(option and option.retryable),
                declared=option is not None,
                file=enum.file.name,
            )
        )
    return found


def _message(descriptor: Any, options: OptionReader) -> MessageSpec:
    return MessageSpec(
        name=descriptor.name,
        full_name=descriptor.full_name,
        package=descriptor.file.package,
        file=descriptor.file.name,
        fields=tuple(_field(f, options) for f in sorted(descriptor.fields, key=lambda f: f.number)),
        hot=bool(options.get(descriptor, "hot")),
        in_order=[f.number for f in descriptor.fields]
        == sorted(f.number for f in descriptor.fields),
    )


def _field(field: FieldDescriptor, options: OptionReader) -> FieldSpec:
    option = options.get(field, "rule")
    rule = RuleSpec()
    if option is not None:
        rule = RuleSpec(
            required=option.required,
            min=option.min if option.HasField("min") else None,
            max=option.max if option.HasField("max") else None,
            len=option.len,
            max_len=option.max_len,
            defined_only=option.defined_only,
            max_items=option.max_items,
            charset=option.charset if option.HasField("charset") else None,
        )
    target = field.message_type or field.enum_type
    synthetic = field.containing_oneof is not None and field.containing_oneof.name.startswith("_")
    hot = options.get(field, "hot_field") or 0
    return FieldSpec(
        name=field.name,
        number=field.number,
        kind=_KINDS[field.type],
        type_name=target.full_name if target else "",
        repeated=field.is_repeated,
        optional=synthetic,
        oneof=field.containing_oneof.name if field.containing_oneof and not synthetic else "",
        rule=rule,
        span_attribute=options.get(field, "span_attribute") or "",
        sensitive=bool(options.get(field, "sensitive")),
        hot=("expand", "slice", "skip")[hot],
    )


def _participant(option: Any, service: ServiceDescriptor) -> ParticipantSpec:
    return ParticipantSpec(
        name=option.name,
        service=service.full_name,
        publishes=tuple(option.publishes),
        consumes=tuple(
            ConsumerSpec(
                participant=option.name,
                event=c.event,
                durable=c.durable,
                delivery_class=_value_name(c, "delivery_class")
                .removeprefix("DELIVERY_CLASS_")
                .lower(),
                ack_wait_ms=c.ack_wait_ms,
                max_deliver=c.max_deliver,
                max_ack_pending=c.max_ack_pending,
                back_off_ms=tuple(c.back_off_ms),
                file=service.file.name,
            )
            for c in option.consumes
        ),
        file=service.file.name,
    )


def _methods(service: ServiceDescriptor, options: OptionReader) -> list[MethodSpec]:
    found = []
    for method in service.methods:
        option = options.get(method, "authorization")
        roles = [] if option is None else sorted({int(r) for r in option.role})
        enum = None if option is None else option.DESCRIPTOR.fields_by_name["role"].enum_type
        found.append(
            MethodSpec(
                path=f"/{service.full_name}/{method.name}",
                name=method.name,
                request=method.input_type.full_name,
                response=method.output_type.full_name,
                roles=tuple(enum.values_by_number[r].name for r in roles) if enum else (),
                deadline_exempt=bool(option and option.deadline_exempt),
                declared=option is not None,
                streams=method.server_streaming,
                file=service.file.name,
            )
        )
    return found
