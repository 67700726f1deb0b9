// How functions of conditions make one kind of value of another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "select/value.h"

namespace df::select {

/// Returns a number, a truth value or the decimal digits of a text as an integer; nil for nil.
/// Fails for all else, and for doubles beyond 64 bits.
Value ReadInteger(const Value& value);

/// The same as a double; fails for texts that are no number.
Value ReadDouble(const Value& value);

/// Reads a duration as Go writes it: "1h30m", "-1.5s". Fails for anything else.
Value ReadDuration(std::string_view text);

/// Makes an id of so many bytes, or of twice as many hexadecimal digits, in a text or bytes; a
/// number stands for its 8 bytes, big-endian.
Value ReadId(const Value& value, size_t num_bytes, std::string_view function);

/// Writes bytes, a text, a number (big-endian) or a truth value in hexadecimal; nil is "".
Value WriteHex(const Value& value);

/// Changes the case of all letters. Bytes that are not UTF-8 stay.
std::string ChangeCase(std::string_view text, bool to_upper);

/// Returns the number of bytes of the first character of a text that is not empty; 1 for a byte
/// that begins none.
size_t CharacterSize(std::string_view text);

}  // namespace df::select
