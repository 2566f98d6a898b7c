// SPDX-License-Identifier: Apache-2.0
// The bytes of a message as they stand in a frame, made by its field table.
#pragma once

#include <chrono>
#include <string>
#include <type_traits>

#include "actors/schema/wire_size.hpp"
#include "tests/support/frames.hpp"

namespace forkfleet::test {

/// The bytes of `x`.
template <class T>
std::string wire_bytes(const T& x) {
  auto out = std::string{};
  if constexpr (schema::described<T>) {
    schema::for_each_field<T>(
      [&](const auto& entry) { out += wire_bytes(x.*(entry.member)); });
  } else if constexpr (schema::detail::is_list_type<T>::value) {
    out = packed_length(x.size());
    for (const auto& element : x)
      out += wire_bytes(element);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out = packed_text(x);
  } else if constexpr (schema::detail::is_id_type<T>::value) {
    out = packed_text(x.value);
  } else if constexpr (schema::detail::is_duration_type<T>::value) {
    out = number(static_cast<uint64_t>(x.count()), sizeof(int64_t));
  } else {
    out = number(static_cast<uint64_t>(x), sizeof(T));
  }
  return out;
}

/// A request that carries `x`.
template <class T>
frame told(const T& x) {
  return direct("+forkfleet::" + std::string{T::about.name}, wire_bytes(x));
}

/// The hello of the program `node`.
template <class Hello>
frame told_hello(const Hello& x, const std::string& node) {
  return direct("+forkfleet::node_hello+forkfleet::node_actor",
                wire_bytes(x) + number(9, 8) + node);
}

} // namespace forkfleet::test
