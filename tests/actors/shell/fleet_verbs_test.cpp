// SPDX-License-Identifier: Apache-2.0
// The verbs against a coordinator over a real link.
#include <sstream>

#include <catch2/catch.hpp>

#include "actors/shell/verb.hpp"
#include "tests/support/link_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct reached {
  test::token_place tokens;
  test::program fleet;
  const std::string address =
    "127.0.0.1:" + std::to_string(fleet.serve(tokens.tokens()));
  std::ostringstream out;
  std::ostringstream err;

  exit_code run(std::vector<std::string> words) {
    out.str("");
    err.str("");
    words.insert(words.begin(), {"--coordinator", address});
    session io{.out = out, .err = err, .env = [this](const std::string& name) {
                 return tokens.environment(name);
               }};
    return run_tool(io, words);
  }

  schema::json json() const {
    const auto value = schema::parse_json(out.str());
    REQUIRE(value);
    return *value;
  }
};

} // namespace

TEST_CASE_METHOD(reached, "a branch prints its stages and ends with 0",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"branch", "web", "--tag", "try-a"}) == exit_code::done);
  CHECK(out.str().starts_with("web on  sealed as try-a"));
  CHECK(out.str().find("admit") != std::string::npos);
  CHECK(err.str().empty());
}

TEST_CASE_METHOD(reached, "JSON has the whole report and nothing else",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"branch", "web", "--operation", "op-7", "-o", "json"})
        == exit_code::done);
  CHECK(json().at("operation") == "op-7");
  CHECK(json().at("stages").size() == 1);
  CHECK(err.str().empty());
}

TEST_CASE_METHOD(reached, "several branches have numbered tags and a table",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"branch", "web", "--tag", "t", "--count", "3"})
        == exit_code::done);
  CHECK(out.str().find("3  t-3") != std::string::npos);
  CHECK(out.str().find("pause p50") != std::string::npos);
  CHECK(run({"branch", "web", "--tag", "t", "--count", "2", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "t-1\nt-2\n");
  CHECK(run({"branch", "web", "--count", "2", "-o", "json"})
        == exit_code::done);
  CHECK(json().size() == 2);
}

TEST_CASE_METHOD(reached, "an unknown sandbox ends with 5 and a remedy",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"branch", "missing"}) == exit_code::not_found);
  CHECK(err.str().find("unknown_sandbox") != std::string::npos);
  CHECK(err.str().find("forkfleet ls") != std::string::npos);
  CHECK(out.str().empty());
  CHECK(run({"branch", "missing", "-o", "json"}) == exit_code::not_found);
  CHECK(json().at("error").at("code") == "unknown_sandbox");
}

TEST_CASE_METHOD(reached, "a list is printed in the format asked for",
                 "[actors][shell][list_verbs]") {
  CHECK(run({"nodes", "-o", "name"}) == exit_code::done);
  CHECK(out.str() == "h1\n");
  CHECK(run({"nodes", "-o", "json"}) == exit_code::done);
  CHECK(json().at(0).at("host") == "h1");
  CHECK(run({"ls", "-o", "jsonl"}) == exit_code::done);
  CHECK(out.str().empty());
  CHECK(run({"snapshots"}) == exit_code::done);
  CHECK(out.str().starts_with("SNAPSHOT  NODE"));
  CHECK(out.str().find("BASE   DEPTH") != std::string::npos);
}

TEST_CASE_METHOD(reached, "send gives one reply for one message",
                 "[actors][shell][send_verbs]") {
  CHECK(run({"send", "nodes_request"}) == exit_code::done);
  CHECK(json().at("nodes").size() == 1);
  CHECK(run({"send", "branch_request", R"({"sandbox": "missing"})"})
        == exit_code::not_found);
  CHECK(json().at("error").at("message") == "missing");
  CHECK(run({"send", "branch_request", R"({"sandbox": "web"})"})
        == exit_code::done);
  CHECK(json().at("operation").get<std::string>().starts_with("op-"));
}

TEST_CASE_METHOD(reached, "what nobody knows of is not found",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"status", "op-1"}) == exit_code::not_found);
  CHECK(out.str() == "op-1 is unknown\n");
}

TEST_CASE_METHOD(reached, "restore, stop and rm say what was done",
                 "[actors][shell][sandbox_verbs]") {
  CHECK(run({"restore", "try-a"}) == exit_code::done);
  CHECK(out.str().find("a child of try-a") != std::string::npos);
  CHECK(run({"stop", "web"}) == exit_code::done);
  CHECK(out.str() == "stopped web\n");
  CHECK(run({"rm", "try-a", "-o", "json"}) == exit_code::done);
  CHECK(json().contains("note"));
}

TEST_CASE_METHOD(reached, "a fork tells of each child and of all",
                 "[actors][shell][fork]") {
  CHECK(run({"fork", "try-a", "--count", "5", "--name", "eval"})
        == exit_code::done);
  for (const auto* child : {"eval-1", "eval-5"})
    CHECK(out.str().find(child) != std::string::npos);
  CHECK(out.str().find("5 of 5 children of try-a run") != std::string::npos);
  CHECK(run({"fork", "try-a", "--count", "3", "--name", "eval", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "eval-1\neval-2\neval-3\n");
  CHECK(run({"fork", "try-a", "--name", "one", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "one\n");
}

TEST_CASE_METHOD(reached, "a fork of which some children fail ends with 9",
                 "[actors][shell][fork][safety]") {
  const auto fork = [this](const char* format) {
    return run({"fork", "try-a", "--count", "3", "--name", "taken",
                "--operation", "op", "-o", format});
  };
  CHECK(fork("table") == exit_code::partly);
  CHECK(out.str().find("2 of 3 children") != std::string::npos);
  CHECK(out.str().find("sandbox_exists") != std::string::npos);
  CHECK(fork("json") == exit_code::partly);
  REQUIRE(json().size() == 3);
  CHECK(json()[1].at("error").at("code") == "sandbox_exists");
  CHECK(json()[1].at("operation") == "op-2");
  CHECK(json()[2].at("sandbox").at("id") == "taken-3");
}

TEST_CASE_METHOD(reached, "a tree of a fleet is shown, or a part of it",
                 "[actors][shell][lineage]") {
  CHECK(run({"tree"}) == exit_code::done);
  CHECK(out.str().starts_with("NAME"));
  CHECK(run({"tree", "try-a", "-o", "name"}) == exit_code::done);
  CHECK(out.str() == "try-a\n");
  CHECK(run({"log", "damaged", "-o", "jsonl"}) == exit_code::done);
  CHECK(out.str().find("\"depth\":1") != std::string::npos);
  CHECK(run({"why-kept", "try-a"}) == exit_code::done);
  CHECK(out.str().find("damaged") != std::string::npos);
  CHECK(run({"why-kept", "damaged"}) == exit_code::done);
  CHECK(out.str().starts_with("nothing needs damaged"));
  for (const auto* word : {"tree", "log", "why-kept"}) {
    CHECK(run({word, "nobody"}) == exit_code::not_found);
    CHECK(err.str().find("nobody") != std::string::npos);
  }
}

TEST_CASE_METHOD(reached, "a cancelled branch ends with 0",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"cancel", "op-1"}) == exit_code::done);
  CHECK(out.str() == "cancelled op-1\n");
  CHECK(run({"cancel", "op-1", "-o", "json"}) == exit_code::done);
  CHECK(json().at("operation") == "op-1");
}

TEST_CASE_METHOD(reached, "a cancel that comes too late ends with 6",
                 "[actors][shell][branch_verbs]") {
  CHECK(run({"cancel", "op-sealed"}) == exit_code::conflict);
  CHECK(out.str() == "op-sealed: it had ended before: sealed as kept\n");
  CHECK(run({"cancel", "op-none"}) == exit_code::not_found);
}

TEST_CASE_METHOD(reached, "a snapshot is flattened, and what was flat says so",
                 "[actors][shell][snapshot_verbs]") {
  CHECK(run({"flatten", "try-a"}) == exit_code::done);
  CHECK(out.str() == "flattened try-a\n");
  CHECK(run({"flatten", "flat"}) == exit_code::done);
  CHECK(out.str() == "flat: it was flat before\n");
}

TEST_CASE_METHOD(reached, "a damaged snapshot ends with 1 and its place",
                 "[actors][shell][snapshot_verbs][safety]") {
  CHECK(run({"verify", "try-a"}) == exit_code::done);
  CHECK(out.str().starts_with("try-a on h1 is sound\n"));
  CHECK(run({"verify", "damaged"}) == exit_code::failed);
  CHECK(out.str().find("memory.bin: extent 3") != std::string::npos);
  CHECK(run({"verify", "damaged", "-o", "json"}) == exit_code::failed);
  CHECK(json().at("outcome").at("code") == "snapshot_corrupt");
  CHECK(run({"verify", "missing"}) == exit_code::not_found);
}

TEST_CASE_METHOD(reached, "one damaged snapshot among many ends with 1",
                 "[actors][shell][snapshot_verbs][safety]") {
  CHECK(run({"verify", "--all"}) == exit_code::failed);
  CHECK(out.str().find("damaged") != std::string::npos);
  CHECK(out.str().find("sound") != std::string::npos);
  CHECK(run({"verify", "--all", "-o", "json"}) == exit_code::failed);
  CHECK(json().size() == 2);
  CHECK(run({"verify", "--all", "-o", "name"}) == exit_code::failed);
  CHECK(out.str() == "try-a\n");
}

TEST_CASE_METHOD(reached, "an archive is told with its whole path",
                 "[actors][shell][snapshot_verbs]") {
  CHECK(run({"export", "try-a"}) == exit_code::done);
  CHECK(out.str().starts_with("exported try-a to /archives/try-a.ffsnap"));
  CHECK(run({"export", "try-a", "--file", "x", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "/archives/x\n");
  CHECK(run({"import", "x", "--host", "h1", "--tag", "t"}) == exit_code::done);
  CHECK(out.str().starts_with("imported /archives/x as t on h1"));
}

TEST_CASE_METHOD(reached, "an empty history of events is nothing",
                 "[actors][shell][event_verbs]") {
  CHECK(run({"events"}) == exit_code::done);
  CHECK(out.str().empty());
  CHECK(run({"events", "-o", "json"}) == exit_code::done);
  CHECK(json().empty());
}

TEST_CASE_METHOD(reached, "fsck looks at all hosts and tells what it found",
                 "[actors][shell][fsck_verbs]") {
  CHECK(run({"fsck"}) == exit_code::findings);
  CHECK(out.str().find("/data/staging/op-1") != std::string::npos);
  CHECK(run({"fsck", "--host", "h7", "--repair", "-o", "json"})
        == exit_code::findings);
  CHECK(json().at(0).at("host") == "h7");
  CHECK(json().at(0).at("repaired") == 1);
}

TEST_CASE_METHOD(reached, "doctor tells how all hosts do, and what helps",
                 "[actors][shell][doctor_verbs]") {
  CHECK(run({"doctor"}) == exit_code::findings);
  CHECK(out.str().find("it can be used") != std::string::npos);
  CHECK(out.str().find("-> load nf_tables") != std::string::npos);
  CHECK(run({"doctor", "--host", "h7", "-o", "json"}) == exit_code::findings);
  CHECK(json().at(0).at("host") == "h7");
  CHECK(json().at(0).at("checks").at(1).at("state") == "bad");
  CHECK(run({"doctor", "-o", "name"}) == exit_code::findings);
  CHECK(out.str().starts_with("nf_tables\n"));
}

TEST_CASE_METHOD(reached, "a rollback keeps the state before, and says where",
                 "[actors][shell][switch_verbs]") {
  CHECK(run({"rollback", "web", "try-a", "--operation", "op-7"})
        == exit_code::done);
  CHECK(out.str().starts_with("web is back at try-a on h1"));
  CHECK(out.str().find("web-before-op-7") != std::string::npos);
  CHECK(run({"rollback", "web", "try-a", "--no-safety", "-o", "json"})
        == exit_code::done);
  CHECK(json().at("sandbox").at("parent") == "try-a");
  CHECK_FALSE(json().contains("safety"));
  CHECK(run({"rollback", "web", "foreign"}) == exit_code::usage);
  CHECK(run({"rollback", "web", "foreign", "--force"}) == exit_code::done);
}

TEST_CASE_METHOD(reached, "without its safety branch a rollback is not begun",
                 "[actors][shell][switch_verbs][safety]") {
  CHECK(run({"rollback", "missing", "try-a"}) == exit_code::not_found);
  CHECK(err.str().find("was not begun") != std::string::npos);
  CHECK(run({"rollback", "missing", "try-a", "--no-safety"})
        == exit_code::done);
}

TEST_CASE_METHOD(reached, "a promotion tells the new name",
                 "[actors][shell][switch_verbs]") {
  CHECK(run({"promote", "fix-1"}) == exit_code::done);
  CHECK(out.str().starts_with("fix-1 is now web on h1"));
  CHECK(run({"promote", "fix-1", "-o", "name"}) == exit_code::done);
  CHECK(out.str() == "web\n");
}
