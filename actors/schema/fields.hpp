// SPDX-License-Identifier: Apache-2.0
// One table per struct says what its fields are called, what they mean, and
// which must be given. CAF's inspect, JSON in and out, YAML with line and
// column, and JSON Schema are all driven by it. Knows neither CAF nor JSON.
#pragma once

#include <concepts>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace forkfleet::schema {

/// Whether the sender must give a field. What is optional keeps its default.
enum class need : unsigned char { optional, required };

/// Who may set a field: a script too, or only our programs among themselves.
enum class access : unsigned char { scriptable, internal };

/// One field of `Struct`: its name in JSON and YAML, and its documentation.
/// Names carry the unit (`pause_us`, `memory_bytes`), as their types do.
template <class Struct, class Member>
struct field_entry {
  std::string_view name;
  Member Struct::*member;
  std::string_view doc;
  need needed = need::optional;
  access settable = access::scriptable;
};

/// Makes an entry; lets the compiler find the types.
template <class Struct, class Member>
constexpr field_entry<Struct, Member>
field(std::string_view name, Member Struct::*member, std::string_view doc,
      need needed = need::optional, access settable = access::scriptable) {
  return {name, member, doc, needed, settable};
}

/// What a struct is: its name on the wire and in scripts, one sentence, and
/// whether a script may send it.
struct about {
  std::string_view name;
  std::string_view doc;
  access sendable = access::internal;
};

/// A struct with a table: `static constexpr schema::about about{...}` and
/// `static constexpr auto fields()` that returns a tuple of entries.
template <class T>
concept described = requires {
  { T::about.name } -> std::convertible_to<std::string_view>;
  T::fields();
};

/// Calls `visit(entry)` for each field of `T`, in the table's order.
template <described T, class Visitor>
constexpr void for_each_field(Visitor&& visit) {
  std::apply([&](const auto&... entry) { (visit(entry), ...); }, T::fields());
}

/// How many fields `T` has.
template <described T>
inline constexpr auto field_count = std::tuple_size_v<decltype(T::fields())>;

/// One value of an enum and its name in JSON, YAML and logs.
template <class Enum>
struct enum_entry {
  Enum value;
  std::string_view name;
  std::string_view doc = {};
};

/// An enum with names: `constexpr auto enum_table(Enum)`, found by argument
/// lookup, returns a std::array of entries.
template <class T>
concept named_enum = std::is_enum_v<T> && requires(T x) {
  enum_table(x);
};

/// The name of `x`, or "?" for a number that no entry has.
template <named_enum Enum>
constexpr std::string_view name_of(Enum x) {
  for (const auto& entry : enum_table(x))
    if (entry.value == x)
      return entry.name;
  return "?";
}

} // namespace forkfleet::schema
