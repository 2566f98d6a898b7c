// SPDX-License-Identifier: Apache-2.0
// One line per event on stderr: a level, the event's name, and fields. For
// people as key=value; as JSON lines with FORKFLEET_LOG=json. What is less
// than FORKFLEET_LOG_LEVEL (debug, info, warn, error; info if unset) is
// dropped. Knows no CAF.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "actors/error.hpp"
#include "actors/ids.hpp"

namespace forkfleet::log {

/// error wakes someone, warn is looked at tomorrow, info tells the story,
/// debug is for one's own desk.
enum class level : uint8_t { debug, info, warn, error };

/// One fact of an event. Texts are quoted where they need it, so that no
/// value can forge a field or a line.
struct field {
  std::string_view key;
  std::string text;
  bool quoted = true;

  field(std::string_view k, std::string_view x) : key(k), text(x) {}
  field(std::string_view k, const char* x) : key(k), text(x) {}
  field(std::string_view k, const std::string& x) : key(k), text(x) {}
  field(std::string_view k, bool x)
    : key(k), text(x ? "true" : "false"), quoted(false) {}
  template <std::integral T>
  field(std::string_view k, T x)
    : key(k), text(std::to_string(x)), quoted(false) {}
  /// The count in the duration's own unit; the key names the unit.
  template <class Rep, class Period>
  field(std::string_view k, std::chrono::duration<Rep, Period> x)
    : key(k), text(std::to_string(x.count())), quoted(false) {}
  template <class Tag>
  field(std::string_view k, const tagged_id<Tag>& x) : key(k), text(x.value) {}
  template <schema::named_enum Enum>
  field(std::string_view k, Enum x) : key(k), text(schema::name_of(x)) {}
  /// "code: message"; "none" for success.
  field(std::string_view k, const failure& x)
    : key(k), text(forkfleet::to_string(x)) {}
};

using fields = std::initializer_list<field>;

/// Writes one line, whole even when several threads write. `event` is a noun,
/// a dot and a past participle: "branch.ended".
void write(level x, std::string_view event, fields facts = {});

inline void debug(std::string_view event, fields facts = {}) {
  write(level::debug, event, facts);
}
inline void info(std::string_view event, fields facts = {}) {
  write(level::info, event, facts);
}
inline void warn(std::string_view event, fields facts = {}) {
  write(level::warn, event, facts);
}
inline void error(std::string_view event, fields facts = {}) {
  write(level::error, event, facts);
}

/// Whether a line of this level is written at all.
bool is_on(level x);

/// The line that `write` makes, without its newline: for tests.
std::string line_for(level x, std::string_view event, fields facts,
                     bool as_json);

} // namespace forkfleet::log
