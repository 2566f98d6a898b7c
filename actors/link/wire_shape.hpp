// SPDX-License-Identifier: Apache-2.0
// Walks a struct's bytes by the same field table that CAF's inspect is made
// of, so that the guard and CAF can not disagree about a message's form.
#pragma once

#include <chrono>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "actors/ids.hpp"
#include "actors/link/host_claims.hpp"
#include "actors/link/wire_reader.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

namespace detail {

template <class T>
struct is_duration : std::false_type {};
template <class Rep, class Period>
struct is_duration<std::chrono::duration<Rep, Period>> : std::true_type {};

template <class T>
struct is_list : std::false_type {};
template <class T>
struct is_list<std::vector<T>> : std::true_type {
  using element = T;
};

template <class T>
struct is_id : std::false_type {};
template <class Tag>
struct is_id<tagged_id<Tag>> : std::true_type {};

template <class Enum>
bool is_known(std::underlying_type_t<Enum> number) {
  if constexpr (schema::named_enum<Enum>) {
    for (const auto& entry : enum_table(Enum{}))
      if (static_cast<std::underlying_type_t<Enum>>(entry.value) == number)
        return true;
    return false;
  }
  return true;
}

} // namespace detail

/// Whether a `T` stands at the cursor; moves behind it. Numbers of enums must
/// be known ones. The names of hosts go to `hosts`, if there is one.
template <class T>
bool walk(wire_reader& in, host_claims* hosts = nullptr) {
  if constexpr (schema::described<T>) {
    return std::apply(
      [&](const auto&... entry) {
        return (walk<std::decay_t<decltype(T{}.*(entry.member))>>(in, hosts)
                && ...);
      },
      T::fields());
  } else if constexpr (detail::is_list<T>::value) {
    auto count = std::size_t{0};
    if (!in.length(count))
      return false;
    for (auto i = std::size_t{0}; i < count; ++i)
      if (!walk<typename detail::is_list<T>::element>(in, hosts))
        return false;
    return true;
  } else if constexpr (std::is_same_v<T, host_name>) {
    auto name = std::string_view{};
    if (!in.text(name))
      return false;
    if (hosts != nullptr)
      hosts->note(name);
    return true;
  } else if constexpr (std::is_same_v<T,
                                      std::string> || detail::is_id<T>::value) {
    auto text = std::string_view{};
    return in.text(text);
  } else if constexpr (detail::is_duration<T>::value) {
    return in.skip(sizeof(int64_t));
  } else if constexpr (std::is_enum_v<T>) {
    auto number = std::make_unsigned_t<std::underlying_type_t<T>>{};
    return in.number(number) && detail::is_known<T>(number);
  } else if constexpr (std::is_same_v<T, bool>) {
    auto number = uint8_t{0};
    return in.number(number) && number <= 1;
  } else {
    static_assert(std::is_arithmetic_v<T>, "no wire form is known for it");
    return in.skip(sizeof(T));
  }
}

} // namespace forkfleet
