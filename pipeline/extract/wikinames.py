"""Words of wikitext: elements, templates and namespaces that decide what is text, in English and other languages."""

from __future__ import annotations

import re


def _each(words: str, value: object) -> dict[str, object]:
    return dict.fromkeys(words.split(), value)


#: Elements whose content is no wikitext: what becomes of it, or None where it is dropped.
OPAQUE = {
    **_each("nowiki pre syntaxhighlight source ce chem", "{}"),
    **_each("math", "${}$"),
    **_each("ref gallery timeline score imagemap hiero graph templatedata mapframe maplink categorytree inputbox indicator", None),
    **_each("style script", None),
}

#: Namespaces of files and categories by their names in the larger Wikipedias: links into them are no text.
NO_TEXT = _each(
    """file image media datei bild fichier archivo imagen immagine ficheiro imagem bestand afbeelding plik grafika fil bilde
    файл изображение зображення tiedosto kuva soubor súbor fájl kép dosya resim ملف صورة پرونده تصویر קובץ תמונה ファイル 画像
    파일 그림 文件 檔案 图像 圖像 berkas चित्र ছবি ไฟล์ αρχείο dosiero fitxer
    category kategorie catégorie categoría categoria kategoria категория категорія kategori luokka kategória kategorija
    kategorio تصنيف رده קטגוריה カテゴリ 분류 分类 分類 श्रेणी หมวดหมู่ κατηγορία""",
    None,
)
MEDIA = re.compile(r"\.(?:jpe?g|png|gif|svg|tiff?|webp|og[gav]|webm|mp[34]|wav|midi?|flac|djvu|pdf)\s*$", re.IGNORECASE)

#: Templates (lower case) that say: this page only lists other pages.
DISAMBIGUATION = _each(
    """disambig disambiguation dab hndis geodis schooldis mathdab disamb disambigua begriffsklärung homonymie desambiguación
    desambig desambiguação doorverwijspagina dp ujednoznacznienie неоднозначность неоднозначність förgrening flertydig
    täsmennyssivu rozcestník egyért توضيح ابهام‌زدایی פירושונים aimai 曖昧さ回避 동음이의 消歧义 消歧義 disambig-small pekerside""",
    None,
)

#: Templates that stand for one of their positional parameters (the last is -1), for a fixed text, or for a pattern.
_PARAMETERS = {
    **_each("lang langue transl transliteration script", -1),
    **_each("nowrap nobold nobr abbr small smallcaps sc mvar math sub sup em strong", 0),
    **_each("quote quotation blockquote cquote citazione cita zitat nihongo linktext circa formatnum val", 0),
}
_TEXTS = {**_each("ndash snd spnd", " – "), **_each("mdash emdash", "—"), **_each("nbsp space", " "), "'": "'", "=": "=", "!": "|"}
_PATTERNS = {**_each("convert cvt unità", "{} {}"), **_each("frac sfrac", "{}/{}")}

_NAMED = re.compile(r"\s*\w+\s*=")
#: Longer templates are boxes, whatever they are called.
_MAX_SPOKEN = 10_000


def spoken(name: str, content: str) -> str:
    """The text that a template stands for within a sentence ("12 km" of "convert|12|km|mi"), mostly none."""
    if name in _TEXTS:
        return str(_TEXTS[name])
    index = -1 if name.startswith("lang-") else _PARAMETERS.get(name)
    pattern = _PATTERNS.get(name)
    if (index is None and pattern is None) or len(content) > _MAX_SPOKEN:
        return ""
    values = [value.strip() for value in content.split("|")[1:] if not _NAMED.match(value)]
    if pattern is not None:
        return str(pattern).format(*values) if len(values) > 1 else ""
    return values[int(str(index))] if values else ""
