// SPDX-License-Identifier: Apache-2.0
// Random values of any type with a shape, for property tests.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "actors/schema/shape.hpp"

namespace forkfleet::test {

/// Gives all of `x`, which is of the type that `shape` describes, values from
/// the whole range of its type.
void randomize(const schema::type_shape& shape, void* x, std::mt19937_64& dice);

template <class T>
T random_value(std::mt19937_64& dice) {
  T result{};
  randomize(schema::shape_of<T>(), &result, dice);
  return result;
}

/// Random text of up to `length_max` characters: ASCII, and some of two and
/// three bytes.
std::string random_text(std::mt19937_64& dice, std::size_t length_max);

} // namespace forkfleet::test
