// SPDX-License-Identifier: Apache-2.0
// Guest memory as a plain model, and diffs written from it by chance.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "node/memory_image.hpp"
#include "node/storage/diff_format.hpp"

namespace forkfleet::test {

using bytes = std::vector<uint8_t>;

/// So many pages, each filled with one value that `dice` chooses; some are
/// zeros.
bytes random_pages(std::mt19937& dice, std::size_t pages);

/// Writes and zeros by chance, to the sink and to the model alike. Returns
/// false when the sink failed.
bool change(std::mt19937& dice, memory_sink& sink, bytes& model,
            std::size_t steps);

/// A base's root hash that `number` chooses.
sha256 some_hash(uint8_t number);

/// Writes a file of just these bytes.
void write_file(const std::string& path, const bytes& content);

/// Flips one bit of a file.
void flip_bit(const std::string& path, uint64_t at);

/// All of an image, by reads of odd sizes.
bytes read_all(const memory_image& image, std::mt19937& dice);

} // namespace forkfleet::test
