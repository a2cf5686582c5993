"""The sizes at which Slack refuses blocks and attachments, with its own error words."""

from services.inbox.domain import Json, Refusal, RefusedMessageError, text_of

# https://docs.slack.dev/reference/block-kit/blocks
MOST_BLOCKS = 50
LONGEST_SECTION = 3_000
LONGEST_HEADER = 150
LONGEST_FIELD = 2_000
MOST_FIELDS = 10
MOST_ELEMENTS = {"actions": 25, "context": 10}
LONGEST_BLOCK_ID = 255
BLOCK_TYPES = frozenset(
    {"section", "header", "divider", "context", "actions", "image", "input", "file", "video", "rich_text",
     "markdown", "table"}
)  # fmt: skip
# Slack names no number for the fields of an attachment; beyond this nobody reads them.
MOST_ATTACHMENT_FIELDS = 50


def check_blocks(blocks: list[Json]) -> None:
    """RefusedMessageError with Slack's invalid_blocks when one of them is not as Slack wants it."""
    if len(blocks) > MOST_BLOCKS:
        raise _blocks(f"more than {MOST_BLOCKS} blocks")
    for block in blocks:
        if isinstance(block, dict):
            _check_block(block)


def check_attachment(attachment: dict[str, Json]) -> None:
    """RefusedMessageError with Slack's words for fields and blocks that it does not take."""
    fields = attachment.get("fields") or []
    if not isinstance(fields, list) or not all(isinstance(each, dict) for each in fields):
        raise RefusedMessageError(Refusal.INVALID_ATTACHMENTS, "fields must be a list of objects")
    if len(fields) > MOST_ATTACHMENT_FIELDS:
        raise RefusedMessageError(Refusal.INVALID_ATTACHMENTS, f"more than {MOST_ATTACHMENT_FIELDS} fields")
    blocks = attachment.get("blocks") or []
    if not isinstance(blocks, list):
        raise RefusedMessageError(Refusal.INVALID_ATTACHMENTS, "blocks must be a list")
    check_blocks(blocks)


def shows_something(attachment: dict[str, Json]) -> bool:
    """Whether there is anything to see: a colour or a footer alone is no message."""
    texts = (
        text_of(attachment.get(name)).strip()
        for name in ("title", "pretext", "text", "fallback", "image_url")
    )
    return any(texts) or any(attachment.get(name) for name in ("fields", "blocks", "actions"))


def _check_block(block: dict[str, Json]) -> None:
    kind = text_of(block.get("type"))
    if kind not in BLOCK_TYPES:
        raise _blocks(f"no block has the type {kind[:40]!r}")
    if len(text_of(block.get("block_id"))) > LONGEST_BLOCK_ID:
        raise _blocks(f"a block_id is longer than {LONGEST_BLOCK_ID} characters")
    text = _text(block.get("text"))
    longest = LONGEST_HEADER if kind == "header" else LONGEST_SECTION
    if len(text) > longest:
        raise _blocks(f"the text of a {kind} block is longer than {longest} characters")
    if kind == "header" and not text:
        raise _blocks("a header block has no text")
    fields = block.get("fields") or []
    if kind == "section" and not text and not fields:
        raise _blocks("a section block has neither text nor fields")
    if not isinstance(fields, list) or len(fields) > MOST_FIELDS:
        raise _blocks(f"more than {MOST_FIELDS} fields in a block")
    if any(len(_text(each)) > LONGEST_FIELD for each in fields):
        raise _blocks(f"a field is longer than {LONGEST_FIELD} characters")
    elements = block.get("elements") or []
    if not isinstance(elements, list) or len(elements) > MOST_ELEMENTS.get(kind, MOST_BLOCKS):
        raise _blocks(f"too many elements in a {kind} block")


def _text(value: Json) -> str:
    return text_of(value.get("text")) if isinstance(value, dict) else text_of(value)


def _blocks(explanation: str) -> RefusedMessageError:
    return RefusedMessageError(Refusal.INVALID_BLOCKS, explanation)
