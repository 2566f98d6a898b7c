// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/record.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::guest;

TEST_CASE("a record survives the port", "[examples][record]") {
  const auto kind = GENERATE(record_kind::tick, record_kind::gap,
                             record_kind::lost, record_kind::text_more);
  const record x{kind, 255, 0xff12345678, 0xffedcba98765};
  CHECK(decode(encode(x)) == x);
}

TEST_CASE("no single changed bit of a record goes unseen",
          "[examples][record][safety]") {
  const auto good = encode({record_kind::tick, 0, 123456, 987654321});
  for (size_t bit = 0; bit < record_size * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(decode(bad));
  }
}

TEST_CASE("a record's layout never moves", "[examples][record]") {
  const record_bytes wanted{0xf7, 1, 2, 3, 0, 0, 0,    0,
                            4,    0, 0, 0, 0, 0, 0x96, 0x24};
  const auto bytes = encode({record_kind::tick, 2, 3, 4});
  CHECK(std::equal(bytes.begin(), bytes.end() - 2, wanted.begin()));
}
