// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known word that is nearest to a misspelt one. Used by
// every decoder and by the command line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace forkfleet::schema {

/// Longer words are compared by their beginnings only; bounds the work that
/// a hostile word can cause.
inline constexpr std::size_t nearest_length_max = 64;

/// Edits that turn `first` into `second`: insert, delete, replace a character,
/// or swap two neighbours. Upper and lower case are the same, and so are '-'
/// and '_'.
std::size_t edit_distance(std::string_view first, std::string_view second);

/// The one of `known` that is nearest to `word`, if any is near enough that a
/// person may have meant it: one edit for every three characters. The first
/// one wins among equals.
std::optional<std::string_view>
nearest(std::string_view word, const std::vector<std::string_view>& known);

/// What to tell a person who wrote `word` where one of `known` belongs: "did
/// you mean 'x'?", else "known: a, b, c", else nothing.
std::string suggestion(std::string_view word,
                       const std::vector<std::string_view>& known);

/// `text` between single quotes, fit for a message: clipped to 64 characters,
/// without control characters.
std::string in_quotes(std::string_view text);

} // namespace forkfleet::schema
