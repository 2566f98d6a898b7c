// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/shape.hpp"

#include <catch2/catch.hpp>

#include "actors/branch_protocol.hpp"

using namespace forkfleet;
using namespace forkfleet::schema;

TEST_CASE("a record's shape has the fields of its table in order",
          "[actors][shape]") {
  const auto& shape = shape_of<stage_timing>();
  CHECK(shape.what == kind::record);
  CHECK(shape.name == "stage_timing");
  CHECK(field_names(shape)
        == std::vector<std::string_view>{"stage", "start_us", "elapsed_us"});
  CHECK(find_field(shape, "start_us")->type().what == kind::duration);
  CHECK(find_field(shape, "start_us")->type().tick_ns == 1000);
  CHECK(find_field(shape, "started") == nullptr);
}

TEST_CASE("fields are read and written in place", "[actors][shape]") {
  stage_timing timing{stage::seal, microseconds{5}, microseconds{7}};
  const auto& shape = shape_of<stage_timing>();
  const auto& first = shape.fields[0];
  CHECK(first.type().read(first.view(&timing)) == scalar{uint64_t{7}});
  first.type().write(first.edit(&timing), scalar{uint64_t{3}});
  CHECK(timing.which == stage::pause);
}

TEST_CASE("numbers know the limits of their types", "[actors][shape]") {
  CHECK(shape_of<uint16_t>().max == 65535);
  CHECK(shape_of<uint16_t>().what == kind::natural);
  CHECK(shape_of<int8_t>().min == -128);
  CHECK(shape_of<int8_t>().max == 127);
  CHECK(shape_of<uint64_t>().max == UINT64_MAX);
}

TEST_CASE("lists grow by one element at a time", "[actors][shape]") {
  std::vector<std::string> list;
  const auto& shape = shape_of<std::vector<std::string>>();
  shape.element().write(shape.append(&list), scalar{std::string{"a"}});
  CHECK(shape.size(&list) == 1);
  CHECK(list == std::vector<std::string>{"a"});
}

TEST_CASE("an id is checked for its kind and length", "[actors][shape]") {
  const auto& shape = shape_of<sandbox_id>();
  CHECK_FALSE(check_identifier(shape, "web-1"));
  CHECK_FALSE(check_identifier(shape, ""));
  CHECK(check_identifier(shape, "../etc"));
  CHECK(check_identifier(shape, std::string(36, 'a')));
  CHECK(to_string(check_identifier(shape, "a b"))
        == "'a b' is not a sandbox name (1 to 35 letters, digits, '-' and "
           "'_', and no '-' first)");
}

TEST_CASE("a number without a name in its enum has no index",
          "[actors][shape]") {
  auto odd = static_cast<stage>(99);
  const auto& shape = shape_of<stage>();
  CHECK(shape.read(&odd) == scalar{uint64_t{shape.values.size()}});
}
