"""Picture files that mean harm, for `benchmarks/attack.py`: thin, vast, busy, with headers that lie, and mutated."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw

Picture = tuple[str, bytes]  # what it is, in words, and the file
EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def encoded(picture: Image.Image | np.ndarray, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pictures(tries: int, seed: int) -> Iterator[Picture]:
    """First every picture that was made by hand, then mutations of honest ones, `tries` in all."""
    made = 0
    for source in (thin, vast, busy, lying, (lambda: mutated(seed))):
        for picture in source():
            if made == tries:
                return
            made += 1
            yield picture


def thin() -> Iterator[Picture]:
    """The area is small, one side is not."""
    random = np.random.default_rng(0)
    sizes = [(65_500, 5), (5, 65_500), (7000, 29), (29, 7000), (6000, 100), (100, 6000), (65_000, 200), (200, 65_000)]
    sizes += [(1_000_000, 1), (1, 1_000_000), (400_000, 40), (40, 400_000), (900, 5), (5, 900), (3000, 8), (8, 3000)]
    contents: dict[str, Callable[[int, int], np.ndarray]] = {
        "a line": lambda w, h: np.where(np.arange(w)[None] * np.ones((h, 1)) % w < w - 2, 0, 255),
        "a dash": lambda w, h: 255 - 255 * ((np.arange(w) // max(1, w // 9) == 3) & (np.arange(h)[:, None] >= h // 2)),
        "stripes": lambda w, h: 255 * ((np.arange(w) + np.arange(h)[:, None]) // 3 % 2),
        "noise": lambda w, h: random.integers(0, 256, (h, w)),
        "blank": lambda w, h: np.full((h, w), 255),
    }
    for width, height in sizes:
        for name, content in contents.items():
            picture = content(width, height).astype(np.uint8)
            yield f"{name}, {width}×{height}", encoded(picture)
            if name == "a line":
                yield f"{name}, {width}×{height}, 16 bit", encoded(picture.astype(np.uint16) * 257)
                yield f"{name}, {width}×{height}, TIFF", encoded(picture, "TIFF", compression="tiff_deflate")


def vast() -> Iterator[Picture]:
    """At the limits and beyond, in every format and mode that decodes differently."""
    grey = Image.linear_gradient("L")
    for side in (4000, 7000, 11_000):
        page = grey.resize((side, side), Image.Resampling.NEAREST)
        yield f"JPEG, {side}²", encoded(page.convert("RGB"), "JPEG", quality=60)
        yield f"PNG, {side}²", encoded(page, compress_level=1)
        yield f"PNG header of {side}² alone", png_header(side, side)
    page = grey.resize((4000, 4000), Image.Resampling.NEAREST)
    colours = page.convert("RGB")
    yield "progressive JPEG", encoded(colours, "JPEG", progressive=True, subsampling=0)
    yield "CMYK JPEG", encoded(page.convert("CMYK"), "JPEG")
    yield "RGBA PNG", encoded(page.convert("RGBA"), compress_level=1)
    yield "palette PNG with transparency", encoded(page.convert("RGBA").quantize(200), compress_level=1)
    yield "16-bit PNG", encoded(np.asarray(page).astype(np.uint16) * 257, compress_level=1)
    yield "float TIFF", encoded(np.asarray(page, np.float32), "TIFF", compression="tiff_deflate")
    yield "WebP", encoded(colours, "WEBP", method=0)
    yield "lossless WebP with alpha", encoded(page.convert("RGBA"), "WEBP", lossless=True, method=0, exact=True)
    yield "GIF", encoded(page, "GIF")
    yield "LZW TIFF, CMYK", encoded(page.convert("CMYK"), "TIFF", compression="tiff_lzw")
    yield "BMP", encoded(Image.new("L", (4000, 4000), 255), "BMP")
    yield "a file beyond the limit", b"\x89PNG\r\n\x1a\n" + bytes(25_000_000)
    yield "PPM in letters", b"P2 1000 1000 255 " + b"7 " * 1_000_000
    small = Image.new("L", (64, 64), 255)
    frames = [Image.new("L", (64, 64), 255 - 20 * (k % 12)) for k in range(2000)]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        yield f"{form} of 2,001 frames", encoded(small, form, save_all=True, append_images=frames)


def busy() -> Iterator[Picture]:
    """All that the search for a digit can be kept busy with, at the size that it works at."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:770, :770]
    for share in (0.0005, 0.003, 0.01, 0.05, 0.3):
        dots = random.random((770, 770)) < share
        yield f"dots, {share}", encoded(255 - 255 * dots.astype(np.uint8))
        size = int(min(12, 0.5 / share**0.5)) or 1
        blocks = np.kron(random.random((770 // size, 770 // size)) < share * size, np.ones((size, size)))
        yield f"blocks of {size}, {share}", encoded((255 - 255 * blocks).astype(np.uint8))
    for step in (3, 7, 20, 60):
        for name, value in {
            "stripes": rows // step % 2,
            "squares": (rows // step + columns // step) % 2,
            "squared paper": (rows % step == 0) | (columns % step == 0),
            "rings": (np.hypot(rows - 385, columns - 385) // step) % 2,
            "fans": np.floor(np.arctan2(rows - 385, columns - 385) * step) % 2,
            "waves": np.sin(rows / step) + np.sin(columns / step) > 1.2,
        }.items():
            yield f"{name}, {step}", encoded((235 - 200 * value).astype(np.uint8))
            noisy = 200 - 120 * value + random.normal(0, 12, value.shape) - columns / 12
            yield f"{name}, {step}, photographed", encoded(np.clip(noisy, 0, 255).astype(np.uint8), "JPEG")
    yield "noise", encoded(random.integers(0, 256, (770, 770, 3)).astype(np.uint8))
    yield "clouds", encoded(Image.effect_noise((96, 96), 90).resize((770, 770), Image.Resampling.BICUBIC))
    yield "dashes", encoded(dashes(random, 300, 12))
    yield "a page of writing", encoded(dashes(random, 900, 25))


def dashes(random: np.random.Generator, count: int, length: float) -> Image.Image:
    page = Image.new("L", (770, 770), 255)
    draw = ImageDraw.Draw(page)
    for x, y, dx, dy in random.uniform(-1, 1, (count, 4)):
        at = (385 + 385 * x, 385 + 385 * y)
        draw.line([at, (at[0] + length * dx, at[1] + length * dy)], fill=0, width=int(random.integers(1, 5)))
    return page


def lying() -> Iterator[Picture]:
    """Headers and structures that promise one thing and hold another."""
    idat = zlib.compress(bytes(101 * 100))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 0, 0, 0, 0))
    tail = chunk(b"IDAT", idat) + chunk(b"IEND")
    zeros = zlib.compress(bytes(50_000_000))
    yield "PNG of a million empty chunks", head + chunk(b"IDAT") * 1_000_000 + tail
    yield "PNG of a million foreign chunks", head + chunk(b"prVt") * 1_000_000 + tail
    yield "PNG with a bomb as text", head + chunk(b"zTXt", b"a\0\0" + zeros) + tail
    yield "PNG with a bomb as profile", head + chunk(b"iCCP", b"a\0\0" + zeros) + tail
    yield "PNG with a bomb as pixels", head + chunk(b"IDAT", zeros) + chunk(b"IEND")
    page = Image.new("L", (100, 100), 255)
    ImageDraw.Draw(page).line([(20, 20), (80, 20), (40, 80)], fill=0, width=6)
    gif = encoded(page, "GIF")
    at = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    yield "GIF of a million comments", gif[:at] + b"!\xfe\x01a\x00" * 1_000_000 + gif[at:]
    yield "GIF on a vast screen", gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:]
    frame = gif.index(b",", at)
    yield "GIF whose frame leaves its screen", gif[: frame + 5] + struct.pack("<HH", 60_000, 60_000) + gif[frame + 9 :]
    rle = b"\x00\x02\x00\x00" * 2_000_000 + b"\x00\x01"
    bmp = struct.pack("<IHHI", 1078 + len(rle), 0, 0, 1078)
    bmp += struct.pack("<IiiHHIIiiII", 40, 3000, 3000, 1, 8, 1, len(rle), 0, 0, 256, 0)
    yield "BMP that runs in place", b"BM" + bmp + bytes(1024) + rle
    progressive = encoded(Image.new("RGB", (3000, 3000), (250, 250, 250)), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    yield "JPEG of 9,000 scans", progressive[:-2] + scan * 9000 + progressive[-2:]
    for orientation in (0, 9, 65_535):
        tags = Image.Exif()
        tags[0x0112] = orientation
        yield f"orientation {orientation}", encoded(page, "JPEG", exif=tags)
        for order in "<>":  # the same tag as two numbers, and in letters
            plain = struct.pack(order + "HHI", 0x0112, 3, 1)
            for kind, count in ((3, 2), (2, 4), (12, 1), (7, 400)):
                odd = encoded(page, "JPEG", exif=tags).replace(plain, struct.pack(order + "HHI", 0x0112, kind, count))
                yield f"orientation {orientation} as {count} of type {kind}", odd
    for name, tile in {"a tile beyond the limit": 30_000, "a tile of two thousand million": 46_336}.items():
        yield f"TIFF with {name}", tiff(100, tile, zlib.compress(bytes(min(tile * tile, 300_000_000)), 1))
    yield "TIFF whose directory follows itself", circle(encoded(page, "TIFF"))


def tiff(side: int, tile: int, body: bytes) -> bytes:
    """A deflated, tiled, grey TIFF."""
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, tile), (323, 4, tile), (324, 4, 8 + 2 + 12 * 10 + 4), (325, 4, len(body))]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + body


def circle(file: bytes) -> bytes:
    (at,) = struct.unpack("<I", file[4:8])
    (count,) = struct.unpack("<H", file[at : at + 2])
    end = at + 2 + 12 * count
    return file[:end] + struct.pack("<I", at) + file[end + 4 :]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND")


def honest() -> dict[str, bytes]:
    """Small files of every kind that is read."""
    page = Image.new("L", (72, 90), 250)
    draw = ImageDraw.Draw(page)
    draw.line([(20, 20), (50, 16), (34, 74)], fill=20, width=5)
    colours, deep = page.convert("RGB"), np.asarray(page).astype(np.uint16) * 200
    clear = page.convert("RGBA")
    clear.putalpha(page.point(lambda value: 255 - value))
    tags = Image.Exif()
    tags[0x0112] = 6
    more = {"save_all": True, "append_images": [Image.new("L", page.size, 128)] * 3}
    return {
        "PNG": encoded(page),
        "PNG, RGBA": encoded(clear),
        "PNG, palette": encoded(clear.quantize(9)),
        "PNG, 1 bit": encoded(page.convert("1")),
        "PNG, 16 bit": encoded(deep),
        "APNG": encoded(page, "PNG", **more),
        "JPEG": encoded(colours, "JPEG", exif=tags),
        "JPEG, progressive": encoded(colours, "JPEG", progressive=True),
        "JPEG, CMYK": encoded(page.convert("CMYK"), "JPEG"),
        "GIF": encoded(page, "GIF"),
        "GIF, frames": encoded(page, "GIF", **more),
        "WebP": encoded(colours, "WEBP"),
        "WebP, lossless": encoded(clear, "WEBP", lossless=True),
        "WebP, frames": encoded(page, "WEBP", **more),
        "BMP": encoded(page, "BMP"),
        "BMP, colours": encoded(colours, "BMP"),
        "TIFF": encoded(page, "TIFF"),
        "TIFF, LZW": encoded(colours, "TIFF", compression="tiff_lzw"),
        "TIFF, JPEG": encoded(colours, "TIFF", compression="jpeg"),
        "TIFF, deflated, CMYK": encoded(page.convert("CMYK"), "TIFF", compression="tiff_deflate"),
        "TIFF, 16 bit": encoded(deep, "TIFF"),
        "TIFF, float": encoded(np.asarray(page, np.float32), "TIFF"),
        "TIFF, frames": encoded(page, "TIFF", **more),
        "PPM": encoded(colours, "PPM"),
        "PGM in letters": b"P2\n72 90\n255\n" + b" ".join(b"%d" % value for value in np.asarray(page).ravel()),
    }


def mutated(seed: int) -> Iterator[Picture]:
    """For ever: an honest file, its bytes flipped, its fields set to extremes, its parts cut, doubled and mixed."""
    files = honest()
    names = sorted(files)
    for index in range(10**9):
        random = np.random.default_rng((seed, index))
        name = names[random.integers(len(names))]
        data = bytearray(files[name])
        done = []
        for _ in range(random.integers(1, 4)):
            how = ("flip", "field", "cut", "double", "mix")[random.choice(5, p=(0.35, 0.4, 0.1, 0.1, 0.05))]
            done.append(how)
            if how == "flip":
                for _ in range(random.integers(1, 12)):
                    data[position(random, data)] = random.integers(256)
            elif how == "field":
                at, width = position(random, data), (1, 2, 4)[random.integers(3)]
                value = EXTREME[random.integers(len(EXTREME))] % 256**width
                data[at : at + width] = value.to_bytes(width, ("little", "big")[random.integers(2)])
            elif how == "cut":
                data = data[: max(1, int(random.integers(len(data))))]
            elif how == "double":
                start, stop = sorted(int(value) for value in random.integers(0, len(data) + 1, 2))
                data[start:start] = data[start:stop] * int(random.integers(1, 4))
            else:
                other = files[names[random.integers(len(names))]]
                data = data[: random.integers(len(data)) + 1] + other[random.integers(len(other)) :]
        if data[:4] == b"\x89PNG" and random.random() < 0.7:
            data = bytearray(checked(bytes(data)))
            done.append("checksums mended")
        yield f"{name} ({seed}, {index}): {', '.join(done)}", bytes(data)


def position(random: np.random.Generator, data: bytes | bytearray) -> int:
    """Half of the hits go where headers are."""
    return int(random.integers(min(100, len(data)) if random.random() < 0.5 else len(data)))


def checked(png: bytes) -> bytes:
    """A PNG with right checksums, or a mutation would end at the first one."""
    at, parts = 8, [png[:8]]
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if at + 12 + length > len(png):
            break
        parts += [png[at : at + 4], chunk(png[at + 4 : at + 8], png[at + 8 : at + 8 + length])[4:]]
        at += 12 + length
    return b"".join(parts) + png[at:]
