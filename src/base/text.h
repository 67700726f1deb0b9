// Durations and sizes as people write them, and the nearest name to a misspelt one.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <arrow/result.h>

namespace df {

/// Parses "5s", "250ms", "1h 30m", "10min", "2d". Units: ns us ms s m min h d. A bare "0" is
/// allowed, other bare numbers are not. Errors: Invalid naming the text and the accepted units.
arrow::Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// Writes a duration in the largest units that lose nothing: "1h30m", "250ms", "0s".
std::string FormatDuration(std::chrono::nanoseconds duration);

/// Parses "256MiB", "64 KiB", "1GB", "4096". KiB/MiB/GiB/TiB are powers of 1024, KB/MB/GB/TB powers
/// of 1000. Errors: Invalid naming the text and the accepted units; a value past int64 is an error.
arrow::Result<int64_t> ParseSize(std::string_view text);

/// Writes bytes with a binary unit: "256MiB", "1.5KiB", "17B".
std::string FormatSize(int64_t size_bytes);

/// Returns the candidate with the smallest edit distance to `name`, or "" when none is near (more
/// than half its letters differ).
std::string NearestName(std::string_view name, std::span<const std::string> candidates);

/// Returns the text with bytes that are not valid UTF-8 (and control characters) written as \xNN,
/// for logs and messages.
std::string PrintableText(std::string_view text);

/// Tells whether the bytes are valid UTF-8 (no overlong forms, no surrogates).
bool IsValidUtf8(std::string_view text);

/// Appends the text to `out` with U+FFFD in place of each byte that is not part of valid UTF-8.
void AppendReplacingInvalidUtf8(std::string_view text, std::string* out);

/// Appends a character of Unicode, which is not a surrogate, as UTF-8.
void AppendUtf8(uint32_t code_point, std::string* out);

/// Tells whether two texts are equal but for the case of the letters of ASCII.
bool EqualsIgnoringCase(std::string_view left, std::string_view right);

}  // namespace df
