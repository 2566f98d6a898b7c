// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/table.hpp"

#include <clocale>

#include <catch2/catch.hpp>

using namespace forkfleet::shell;

namespace {

const terminal plain{};

} // namespace

TEST_CASE("columns are as wide as their widest cell",
          "[actors][shell][table]") {
  table x{{{"NAME"}, {"SIZE", align::right}, {"STATE"}}};
  x.add({"a", "1 MiB", "up"});
  x.add({"long-name", "512 MiB", "down"});
  CHECK(x.render(plain)
        == "NAME          SIZE  STATE\n"
           "a            1 MiB  up\n"
           "long-name  512 MiB  down\n");
}

TEST_CASE("a table without rows shows its titles", "[actors][shell][table]") {
  CHECK(table{{{"A"}, {"B"}}}.render(plain) == "A  B\n");
}

TEST_CASE("an empty or missing cell is a dash", "[actors][shell][table]") {
  table x{{{"A"}, {"B"}}};
  x.add({""});
  CHECK(x.render(plain) == "A  B\n-  -\n");
}

TEST_CASE("a cell cannot break its line", "[actors][shell][table][safety]") {
  table x{{{"A"}}};
  x.add({"one\ntwo\x1b[1m"});
  CHECK(x.render(plain) == "A\none?two?[1m\n");
}

TEST_CASE("wide characters and colours keep the columns straight",
          "[actors][shell][table]") {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  table x{{{"A"}, {"B"}}};
  x.add({"日本", "x"});
  x.add({{"up", tone::good}, "y"});
  CHECK(x.render(plain) == "A     B\n日本  x\nup    y\n");
  CHECK(x.render({.color = true}).find("\x1b[32mup\x1b[0m    y")
        != std::string::npos);
}
