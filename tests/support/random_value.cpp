// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_value.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace forkfleet::test {

namespace {

using schema::kind;

uint64_t up_to(std::mt19937_64& dice, uint64_t most) {
  return std::uniform_int_distribution<uint64_t>{0, most}(dice);
}

/// Small numbers, large ones, and the limits.
uint64_t random_number(std::mt19937_64& dice, uint64_t most) {
  switch (up_to(dice, 3)) {
    case 0:
      return up_to(dice, std::min<uint64_t>(most, 10));
    case 1:
      return most;
    default:
      return up_to(dice, most);
  }
}

std::string random_name(std::mt19937_64& dice, std::size_t length_max) {
  constexpr std::string_view letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string result;
  for (auto left = up_to(dice, length_max); left > 0; --left)
    result += letters[up_to(dice, letters.size() - (result.empty() ? 2 : 1))];
  return result;
}

schema::scalar random_scalar(const schema::type_shape& shape,
                             std::mt19937_64& dice) {
  switch (shape.what) {
    case kind::boolean:
      return up_to(dice, 1) == 1;
    case kind::natural:
      return random_number(dice, shape.max);
    case kind::integer:
    case kind::duration: {
      const auto size = static_cast<int64_t>(random_number(dice, shape.max));
      return up_to(dice, 4) == 0 ? -size : size;
    }
    case kind::real:
      return static_cast<double>(up_to(dice, 1'000'000)) / 1024;
    case kind::enumeration:
      return up_to(dice, shape.values.size() - 1);
    case kind::identifier:
      return random_name(dice, shape.length_max);
    case kind::notation:
      return std::string{shape.example};
    default:
      return random_text(dice, 12);
  }
}

} // namespace

std::string random_text(std::mt19937_64& dice, std::size_t length_max) {
  constexpr std::array<std::string_view, 3> wide{"\u00e9", "\u20ac", "\u2713"};
  std::string result;
  for (auto left = up_to(dice, length_max); left > 0; --left) {
    if (up_to(dice, 9) == 0)
      result += wide.at(up_to(dice, wide.size() - 1));
    else
      result += static_cast<char>(0x20 + up_to(dice, 0x5E));
  }
  return result;
}

void randomize(const schema::type_shape& shape, void* x,
               std::mt19937_64& dice) {
  if (shape.what == kind::record) {
    for (const auto& field : shape.fields)
      randomize(field.type(), field.edit(x), dice);
  } else if (shape.what == kind::list) {
    for (auto left = up_to(dice, 3); left > 0; --left)
      randomize(shape.element(), shape.append(x), dice);
  } else {
    shape.write(x, random_scalar(shape, dice));
  }
}

} // namespace forkfleet::test
