"""What the names in a page say: of elements, of attributes, of classes and ids, and a few words of the text itself.

The words are those that people who write templates use; which of them speak for or against a text is not said here but learned
(`pipeline.extract.html_weights`). Order matters: the weights go by it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pipeline.kernels import pages
from pipeline.kernels.hints import Hints, hints
from pipeline.kernels.pages import BORDER, BREAK, ITEM, RAW, ROOT, SCRIPT, UNREAD, VOID, WHOLE, Names


def _each(elements: str, traits: int) -> dict[str, int]:
    return dict.fromkeys(elements.split(), traits)


_TRAITS = {
    "html": ROOT,
    "body": ROOT | BORDER,
    "script": UNREAD | RAW | SCRIPT,
    **_each("style iframe noembed noframes xmp plaintext", UNREAD | RAW),
    **_each("head svg template select textarea object audio video canvas map noscript datalist mjx-math mjx-speech", UNREAD),
    "math": WHOLE,
    **_each("area base col embed img input link meta param source track wbr", VOID),
    "br": VOID | BREAK,
    "hr": VOID | BORDER,
    **_each("li tr td th", BORDER | ITEM),
    **_each("a b i u s q em strong code kbd samp tt var span font label button sub sup small time cite abbr del ins mark", 0),
    **_each("mjx-container mjx-assistive-mml", 0),
    **_each(
        "address article aside blockquote caption center dd details dialog dir div dl dt fieldset figcaption figure footer form", BORDER
    ),
    **_each("frameset h1 h2 h3 h4 h5 h6 header hgroup legend listing main menu nav ol optgroup p pre search section summary", BORDER),
    **_each("table tbody tfoot thead ul", BORDER),
}
#: Kinds of elements, by bit of KINDS; the first three are those that `pipeline.kernels.pages` asks for.
KINDS = (
    "a", "pre listing", "", "code kbd samp tt", "ul ol dl menu dir", "li dd dt", "table", "td", "th", "h1", "h2 h3", "h4 h5 h6", "p",
    "blockquote", "figure", "figcaption caption", "article", "main", "section", "aside", "header", "footer", "nav", "form fieldset",
    "button", "label legend", "details summary", "dialog", "address", "b strong em i", "small", "time", "cite q", "sub sup",
)  # fmt: skip

#: The bit of each kind, by any of its names.
KIND_BITS = {name: 1 << bit for bit, group in enumerate(KINDS) for name in group.split()}

#: Words of class, id, role, itemprop and the like, by bit; the first three are those that `pipeline.kernels.pages` asks for.
NAME_HINTS = (
    (" katex html ", " math jax ", "math jax preview", " mw editsection ", " headerlink ", " mwe math fallback", " linenos ", " lineno "),
    ("display none", "visibility hidden"),
    ("math tex",),
    ("comment", "disqus", "respond", "discuss"),
    ("related", "recommend", "readnext", "read next", "read more", "readmore", " more ", "suggest", "similar", "also"),
    ("popular", "trending", "most ", "latest", "recent", "recirc", "outbrain", "taboola"),
    ("share", "sharing", "social", "facebook", "twitter", "follow", "addthis"),
    (" nav", "menu", "navbar", "navigation", "breadcrumb", "crumb", "pagination", "pager", "skip"),
    ("sidebar", "aside", " side ", " rail ", "right", "left"),
    ("widget", "module"),
    ("footer", "foot ", "copyright", "legal", "bottom"),
    ("header", "masthead", "banner", " top ", "logo", "topbar"),
    (" ad ", " ads ", "advert", "sponsor", "promo", " dfp", "adsense", "commercial"),
    ("byline", "author", "credit", "contributor"),
    ("date", " time", "published", "meta", "info", "dateline"),
    ("caption",),
    ("image", "photo", "gallery", "slide", "carousel", "picture", "thumb"),
    ("media", "video", "player", "audio", "embed"),
    (" tag", "categor", "keyword", "topic", "label"),
    ("cookie", "consent", "gdpr", "privacy", "ccpa"),
    ("modal", "popup", "overlay", "dialog", "lightbox", "tooltip", "dropdown", "toast"),
    ("newsletter", "subscri", "signup", "sign up", "optin", " cta", "paywall", "donate", "call to action"),
    ("login", "search", " form", "register", "input", "account"),
    ("article", "story", "news"),
    ("post", "entry", "blog"),
    ("article body", "articlebody", "post content", "entry content", "post body", "article content", "story body", "article text",
     "main content"),
    (" body ", "bodytext", "content ", " text ", " copy ", "prose", "richtext", "rich text", "rte", "markdown", "wysiwyg", "description"),
    (" main ", "primary", "container"),
    ("hidden", " hide ", "sr only", "screen reader", "visually", "print", "noprint", "collapse"),
    ("teaser", "card", "tile", "grid", " list", "item", "feed", "col "),
    ("title", "heading", "headline"),
    ("summary", "excerpt", "intro", " dek", "standfirst", "lead", "abstract", "subtitle", "subhead"),
    ("pullquote", "pull quote", "tweet", "quote", "inset"),
    (" bio", "about", "profile", "avatar", "user"),
    ("price", "cart", "product", "buy", "shop", "offer", "sku", "review", "rating"),
    ("thread", "message", "answer", "question", "reply", "forum"),
    ("code", "highlight", "syntax", "source"),
    ("notice", "alert", "warning", "notification", "disclaimer", "announce"),
    (" toc", "table of contents", "tableofcontents", " contents", "index", "outline"),
    ("edit", "action", "button", "btn", "tool", "download", "permalink", "control", "icon"),
    ("hero", "feature", "section", "block", "panel", "tab ", "accordion", "faq"),
    ("country", "language", "region", "locale", "currency"),
    ("contact", "address", "phone", "location", "event", "job"),
    ("footnote", "reference", "citation", "biblio", "endnote"),
    (" comments ", "commentlist", "comment list", "comments list", "comment thread", "comments thread", "disqus", " respond ",
     "comment form", "commentform", "comments area", "comment area",
     "comment body", "comment content", "comment text", "commentbody", "comment reply"),
)  # fmt: skip

#: The bit of `NAME_HINTS` that is set on readers' comments and the form for them.
COMMENTS = len(NAME_HINTS) - 1

#: Words of texts, by bit.
TEXT_HINTS = (
    ("cookie", "privacy policy", "terms of", "gdpr", "consent"),
    ("all rights reserved", "copyright", " inc ", " ltd ", " llc "),
    ("subscribe", "newsletter", "sign up", "signup", "inbox", "free trial"),
    ("log in", "login", "sign in", "register", "password", "account"),
    ("share ", "tweet", "facebook", "twitter", "linkedin", "pinterest", "whatsapp", "follow us", "instagram", "youtube"),
    ("comment", "reply", "leave a"),
    ("related", "read more", "see also", "you may also", "more from", "recommended", "learn more", "view all",
     "see all",
     "more stories", "also read"),
    ("advertis", "sponsored", "promoted", "affiliate"),
    ("photo", "image", "getty", "reuters", "courtesy", "credit", "file pic"),
    (" by ", "posted", "published", "updated", "written by", "author", "last modified", "min read", "minute read"),
    (" jan", " feb", " mar ", "march", "april", " may ", "june", "july", " aug", " sep", " oct", " nov", " dec", "days ago",
     "hours ago", "ago "),
    ("filed under", "tags", "categor", "topics", "tagged"),
    ("next ", "previous", "prev ", "back to", "skip to", "home ", "menu", "search", "close ", "loading", "javascript", "browser",
     "click here"),
    ("contact us", "about us", "email", "call us", "phone"),
    ("add to cart", "buy now", "shop ", "price", "shipping", "in stock", "wishlist", "checkout"),
    (" the ", " and ", " of "),
    (" that ", " was ", " with ", " is ", " for ", " to "),
    (" i ", " you ", " your ", " we "),
    (" he ", " she ", " they ", " said ", " his ", " her "),
)  # fmt: skip

_NAMING = "class id role itemprop aria-label data-testid data-component data-module data-type property"
_ATTRIBUTES = {**_each(_NAMING, pages.NAMING), "style": pages.STYLING, "hidden": pages.HIDING, "type": pages.TYPING}

#: The number of each name in `Page.nodes`.
NUMBERS = pages.numbers(_TRAITS)


class Vocabulary(NamedTuple):
    """What `read_page` is told of names."""

    elements: Names
    attributes: Names
    in_names: Hints
    in_texts: Hints


@cache
def vocabulary() -> Vocabulary:
    """The tables for `read_page`, made once."""
    return Vocabulary(pages.names(_TRAITS, KIND_BITS), pages.names(_ATTRIBUTES), hints(NAME_HINTS), hints(TEXT_HINTS))
