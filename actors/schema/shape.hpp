// SPDX-License-Identifier: Apache-2.0
// The field tables at run time: one type-erased description per type, so that
// JSON, YAML and JSON Schema are ordinary code and not templates. Knows
// neither CAF nor JSON.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet::schema {

/// What is wrong with a value, and what to write instead. An empty message
/// means that nothing is.
struct fault {
  std::string message = {};
  std::string hint = {};

  explicit operator bool() const { return !message.empty(); }
};

/// "message (hint)".
std::string to_string(const fault& x);

/// What a type is to a decoder.
enum class kind : unsigned char {
  boolean,
  integer,
  natural,
  real,
  text,
  identifier,
  enumeration,
  duration,
  notation,
  list,
  record,
};

/// The value of anything but a list or a record. Integers and durations (as
/// a count of ticks) are int64_t, naturals uint64_t; an enumeration is its
/// index in `type_shape::values`; text, identifiers and notations are text.
using scalar = std::variant<bool, int64_t, uint64_t, double, std::string>;

struct type_shape;

/// One field of a record.
struct field_shape {
  std::string_view name;
  std::string_view doc;
  need needed = need::optional;
  access settable = access::scriptable;
  const type_shape& (*type)() = nullptr;
  const void* (*view)(const void* record) = nullptr;
  void* (*edit)(void* record) = nullptr;
};

/// One value of an enumeration.
struct value_shape {
  std::string_view name;
  std::string_view doc;
};

/// A type, as its decoders need to know it. Only the members that `what`
/// calls for are set.
struct type_shape {
  kind what = kind::text;
  std::string_view name = {};
  std::string_view doc = {};
  std::string_view pattern = {};            // notation
  std::string_view example = {};            // notation
  int64_t min = 0;                          // integer, duration
  uint64_t max = 0;                         // integer, natural, duration
  int64_t tick_ns = 0;                      // duration
  std::size_t length_max = 0;               // identifier
  std::vector<value_shape> values = {};     // enumeration
  std::vector<field_shape> fields = {};     // record
  const type_shape& (*element)() = nullptr; // list

  /// For scalars. `write` leaves its target alone when it finds a fault.
  scalar (*read)(const void*) = nullptr;
  fault (*write)(void*, const scalar&) = nullptr;

  /// For lists. What `append` returns holds until the next append.
  std::size_t (*size)(const void*) = nullptr;
  const void* (*at)(const void*, std::size_t) = nullptr;
  void* (*append)(void*) = nullptr;

  /// For records: one that has only defaults.
  const void* (*initial)() = nullptr;
};

/// Whether `text` may be an identifier of this shape; empty means "none" and
/// is allowed.
fault check_identifier(const type_shape& shape, std::string_view text);

/// The index of the value `name`, or a fault with the nearest one.
std::variant<std::size_t, fault> find_value(const type_shape& shape,
                                            std::string_view name);

/// The names of all values.
std::vector<std::string_view> value_names(const type_shape& shape);

/// The names of all fields; those of `access::internal` only when asked for.
std::vector<std::string_view> field_names(const type_shape& shape,
                                          bool with_internal = true);

/// The field `name`, or nothing.
const field_shape* find_field(const type_shape& shape, std::string_view name);

/// What a type with a notation of its own is called, and what it looks like.
struct notation_about {
  std::string_view name;
  std::string_view pattern; // an ECMA regular expression
  std::string_view example;
};

/// A type that is text in JSON and YAML, by functions found by argument
/// lookup: `notation_about notation_of(const T&)`, `std::string to_text(const
/// T&)`, `fault from_text(std::string_view, T&)`.
template <class T>
concept with_notation = requires(const T& x, T& y, std::string_view text) {
  { notation_of(x) } -> std::same_as<notation_about>;
  { to_text(x) } -> std::same_as<std::string>;
  { from_text(text, y) } -> std::same_as<fault>;
};

/// The shape of `T`; lives as long as the program.
template <class T>
const type_shape& shape_of();

namespace detail {

template <class T>
struct is_id : std::false_type {};
template <class Tag>
struct is_id<tagged_id<Tag>> : std::true_type {};

template <class T>
struct is_duration : std::false_type {};
template <class Rep, class Period>
struct is_duration<std::chrono::duration<Rep, Period>> : std::true_type {};

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
const T& as(const void* x) {
  return *static_cast<const T*>(x);
}

template <class T>
T& as(void* x) {
  return *static_cast<T*>(x);
}

/// `Wide` is the alternative of `scalar` that holds a `T`.
template <class T, class Wide>
type_shape plain_shape(kind what) {
  type_shape result{.what = what};
  result.read = [](const void* x) -> scalar {
    return static_cast<Wide>(as<T>(x));
  };
  result.write = [](void* x, const scalar& value) -> fault {
    as<T>(x) = static_cast<T>(std::get<Wide>(value));
    return {};
  };
  return result;
}

template <class T>
type_shape number_shape() {
  using limits = std::numeric_limits<T>;
  auto result = std::is_signed_v<T> ? plain_shape<T, int64_t>(kind::integer)
                                    : plain_shape<T, uint64_t>(kind::natural);
  result.min = std::is_signed_v<T> ? static_cast<int64_t>(limits::min()) : 0;
  result.max = static_cast<uint64_t>(limits::max());
  return result;
}

template <class T>
type_shape id_shape() {
  type_shape result{.what = kind::identifier, .name = T::tag_type::kind};
  result.length_max = T::tag_type::length_max;
  result.read = [](const void* x) -> scalar { return as<T>(x).value; };
  result.write = [](void* x, const scalar& value) -> fault {
    as<T>(x).value = std::get<std::string>(value);
    return {};
  };
  return result;
}

template <class T>
type_shape enum_shape() {
  type_shape result{.what = kind::enumeration};
  for (const auto& entry : enum_table(T{}))
    result.values.push_back({entry.name, entry.doc});
  result.read = [](const void* x) -> scalar {
    uint64_t index = 0;
    for (const auto& entry : enum_table(T{})) {
      if (entry.value == as<T>(x))
        break;
      ++index;
    }
    return index;
  };
  result.write = [](void* x, const scalar& value) -> fault {
    as<T>(x) = enum_table(T{})[std::get<uint64_t>(value)].value;
    return {};
  };
  return result;
}

template <class T>
type_shape duration_shape() {
  using period = typename T::period;
  using rep = typename T::rep;
  static_assert(std::is_integral_v<rep> && std::is_signed_v<rep>);
  static_assert(period::num * 1'000'000'000 % period::den == 0);
  type_shape result{.what = kind::duration};
  result.min = static_cast<int64_t>(std::numeric_limits<rep>::min());
  result.max = static_cast<uint64_t>(std::numeric_limits<rep>::max());
  result.tick_ns = period::num * 1'000'000'000 / period::den;
  result.read = [](const void* x) -> scalar {
    return static_cast<int64_t>(as<T>(x).count());
  };
  result.write = [](void* x, const scalar& value) -> fault {
    as<T>(x) = T{static_cast<rep>(std::get<int64_t>(value))};
    return {};
  };
  return result;
}

template <with_notation T>
type_shape notation_shape() {
  const auto about = notation_of(T{});
  type_shape result{.what = kind::notation, .name = about.name};
  result.pattern = about.pattern;
  result.example = about.example;
  result.read = [](const void* x) -> scalar { return to_text(as<T>(x)); };
  result.write = [](void* x, const scalar& value) -> fault {
    return from_text(std::get<std::string>(value), as<T>(x));
  };
  return result;
}

template <class T>
type_shape list_shape() {
  using element = typename T::value_type;
  static_assert(!std::is_same_v<element, bool>, "vector<bool> has no elements");
  type_shape result{.what = kind::list};
  result.element = &shape_of<element>;
  result.size = [](const void* x) { return as<T>(x).size(); };
  result.at = [](const void* x, std::size_t i) -> const void* {
    return &as<T>(x)[i];
  };
  result.append = [](void* x) -> void* { return &as<T>(x).emplace_back(); };
  return result;
}

template <class T, std::size_t I>
field_shape field_at() {
  const auto entry = std::get<I>(T::fields());
  using member = std::remove_cvref_t<decltype(T{}.*(entry.member))>;
  field_shape result{entry.name, entry.doc, entry.needed, entry.settable};
  result.type = &shape_of<member>;
  result.view = [](const void* x) -> const void* {
    return &(as<T>(x).*(std::get<I>(T::fields()).member));
  };
  result.edit = [](void* x) -> void* {
    return &(as<T>(x).*(std::get<I>(T::fields()).member));
  };
  return result;
}

template <described T>
type_shape record_shape() {
  type_shape result{
    .what = kind::record, .name = T::about.name, .doc = T::about.doc};
  [&result]<std::size_t... I>(std::index_sequence<I...>) {
    (result.fields.push_back(field_at<T, I>()), ...);
  }
  (std::make_index_sequence<field_count<T>>{});
  result.initial = []() -> const void* {
    static const T value{};
    return &value;
  };
  return result;
}

template <class T>
type_shape make_shape() {
  if constexpr (std::is_same_v<T, bool>)
    return plain_shape<T, bool>(kind::boolean);
  else if constexpr (std::is_integral_v<T>)
    return number_shape<T>();
  else if constexpr (std::is_floating_point_v<T>)
    return plain_shape<T, double>(kind::real);
  else if constexpr (std::is_same_v<T, std::string>)
    return plain_shape<T, std::string>(kind::text);
  else if constexpr (is_id<T>::value)
    return id_shape<T>();
  else if constexpr (is_duration<T>::value)
    return duration_shape<T>();
  else if constexpr (is_vector<T>::value)
    return list_shape<T>();
  else if constexpr (std::is_enum_v<T>)
    return enum_shape<T>();
  else if constexpr (with_notation<T>)
    return notation_shape<T>();
  else
    return record_shape<T>();
}

} // namespace detail

template <class T>
const type_shape& shape_of() {
  static const type_shape shape = detail::make_shape<T>();
  return shape;
}

} // namespace forkfleet::schema
