// SPDX-License-Identifier: Apache-2.0
// The header of a disk's layer, or of an image that it lies over.
#include <algorithm>

#include "node/storage/qcow2_file.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

FORKFLEET_FUZZ(qcow2_header) {
  const auto begin =
    bytes.first(std::min<std::size_t>(bytes.size(), qcow2_header_max));
  const auto header = read_header(begin, "fuzz");
  if (!header)
    return;
  test::promise(header->bytes > 0 && header->bytes <= qcow2_bytes_max);
  test::promise(header->backing.size() <= bytes.size());
  test::promise(header->data_file.size() <= bytes.size());
}
