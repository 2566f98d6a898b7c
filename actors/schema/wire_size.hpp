// SPDX-License-Identifier: Apache-2.0
// How many bytes a struct takes in a message, by its field table: what is put
// into a page is measured before it is sent. Knows no CAF.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet::schema {

namespace detail {

template <class T>
struct is_list_type : std::false_type {};
template <class T>
struct is_list_type<std::vector<T>> : std::true_type {};

template <class T>
struct is_id_type : std::false_type {};
template <class Tag>
struct is_id_type<tagged_id<Tag>> : std::true_type {};

template <class T>
struct is_duration_type : std::false_type {};
template <class Rep, class Period>
struct is_duration_type<std::chrono::duration<Rep, Period>> : std::true_type {};

/// A length takes a byte for each seven bits.
constexpr std::size_t length_size(std::size_t length) {
  auto bytes = std::size_t{1};
  for (; length > 0x7F; length >>= 7)
    ++bytes;
  return bytes;
}

} // namespace detail

/// The bytes of `x` in a message.
template <class T>
std::size_t wire_size(const T& x) {
  if constexpr (described<T>) {
    return std::apply(
      [&x](const auto&... entry) {
        return (std::size_t{0} + ... + wire_size(x.*(entry.member)));
      },
      T::fields());
  } else if constexpr (detail::is_list_type<T>::value) {
    auto sum = detail::length_size(x.size());
    for (const auto& element : x)
      sum += wire_size(element);
    return sum;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return detail::length_size(x.size()) + x.size();
  } else if constexpr (detail::is_id_type<T>::value) {
    return wire_size(x.value);
  } else if constexpr (detail::is_duration_type<T>::value) {
    return sizeof(int64_t);
  } else {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>,
                  "no wire form is known for it");
    return sizeof(T);
  }
}

/// Cuts every text of `x` that is longer than `text_max` bytes, and says at
/// its end how long it was, and every list to `entries_max`. Names are left
/// as they are: a name that was cut would be another's.
template <class T>
void shorten(T& x, std::size_t text_max, std::size_t entries_max) {
  if constexpr (described<T>) {
    for_each_field<T>([&](const auto& entry) {
      shorten(x.*(entry.member), text_max, entries_max);
    });
  } else if constexpr (detail::is_list_type<T>::value) {
    if (x.size() > entries_max)
      x.resize(entries_max);
    for (auto& element : x)
      shorten(element, text_max, entries_max);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (x.size() <= text_max)
      return;
    const auto mark = " [cut: " + std::to_string(x.size()) + " bytes]";
    x.resize(text_max);
    x += mark;
  }
}

} // namespace forkfleet::schema
