// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/store.hh"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "control/account_names.hh"

namespace tollgate::control {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/tollgate-store-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() { store_ = std::make_unique<Store>(folder_ + "/p.db"); }

  static IdentityRow identity(const std::string& text) {
    IdentityRow row;
    EXPECT_EQ(ledger::parse_identity(text, row.key, row.text), "");
    return row;
  }
  u64 add(const std::string& name, const std::string& identity_text) {
    Transaction transaction(store_->database());
    const u64 id = store_->take_account_ids(1);
    store_->insert_pending({.id = id, .name = name, .plan = "prepaid"}, {identity(identity_text)});
    transaction.commit();
    return id;
  }
  u64 change_count() {
    Statement count(store_->database(), "SELECT count(*) FROM change_log");
    EXPECT_TRUE(count.step());
    return static_cast<u64>(count.integer(0));
  }

  std::string folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, AnAccountIsFoundByNameNumberAndIdentity) {
  const u64 id = add("anna", "msisdn:46701234567");
  EXPECT_EQ(store_->account_by_name("anna")->status, AccountStatus::pending);
  store_->set_active(id, ledger::AccountRef::make(63, 5));
  open();
  EXPECT_EQ(store_->account_by_id(id)->place, ledger::AccountRef::make(63, 5));
  const auto found = store_->account_by_key(identity("tel:+46701234567").key);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "anna");
  EXPECT_EQ(found->status, AccountStatus::active);
  EXPECT_EQ(store_->identities(id)[0].text, "msisdn:46701234567");
  EXPECT_FALSE(store_->account_by_name("berta"));
}

TEST_F(StoreTest, RememberedNamesAreThoseOfNow) {
  const u64 id = add("anna", "msisdn:46701234567");
  AccountNames names(*store_);
  const std::string_view members = R"("account":"anna","identities":["msisdn:46701234567"])";
  EXPECT_EQ(names.members_of(id), members);
  EXPECT_EQ(names.members_of(id), members);
  store_->replace_identities(id, {identity("msisdn:1"), identity("msisdn:2")});
  EXPECT_EQ(names.members_of(id), R"("account":"anna","identities":["msisdn:1","msisdn:2"])");
  store_->set_removed(id);
  EXPECT_EQ(names.members_of(id), R"("account":"anna","identities":[])");
  EXPECT_EQ(names.members_of(id + 1), R"("account":null,"identities":[])");
}

TEST_F(StoreTest, NamesAndIdentitiesAreUnique) {
  add("anna", "msisdn:1");
  EXPECT_THROW(add("anna", "msisdn:2"), SqlError);
  EXPECT_THROW(add("berta", "msisdn:1"), SqlError);
  EXPECT_EQ(store_->account_count(), 1U);
  EXPECT_EQ(store_->pending_accounts().size(), 1U);
}

TEST_F(StoreTest, ARemovedAccountFreesItsNameButNotItsNumber) {
  const u64 id = add("anna", "msisdn:1");
  store_->set_active(id, ledger::AccountRef::make(1, 1));
  store_->set_removed(id);
  EXPECT_FALSE(store_->account_by_name("anna"));
  EXPECT_EQ(store_->account_by_id(id)->status, AccountStatus::removed);
  const u64 second = add("anna", "msisdn:1");
  EXPECT_GT(second, id);
  store_->erase_pending(second);
  EXPECT_GT(add("anna", "msisdn:1"), second);
}

TEST_F(StoreTest, AChangeAndItsLogStandOrFallTogether) {
  const u64 id = add("anna", "msisdn:1");
  {
    Transaction transaction(store_->database());
    store_->set_plan(id, "pack");
    store_->note_change("set", id, "{}");
  }
  EXPECT_EQ(store_->account_by_id(id)->plan, "prepaid");
  EXPECT_EQ(change_count(), 0U);
  Transaction transaction(store_->database());
  store_->set_plan(id, "pack");
  store_->note_change("set", id, "{}");
  transaction.commit();
  open();
  EXPECT_EQ(store_->account_by_id(id)->plan, "pack");
  EXPECT_EQ(change_count(), 1U);
}

TEST_F(StoreTest, CommandsAreKeptUntilTheirOutcomeIsKnown) {
  const CommandRow with_key{.key = UINT64_MAX,
                            .client_key = "k1",
                            .kind = "topup",
                            .account_id = 1,
                            .detail = "{}",
                            .payload = {0, 1, 255}};
  const CommandRow without{
      .key = 5, .kind = "adjust", .account_id = 1, .detail = "{}", .payload = {7}};
  store_->insert_command(with_key);
  store_->insert_command(without);
  open();
  ASSERT_EQ(store_->commands_under_way().size(), 2U);
  EXPECT_EQ(store_->command_by_client_key("k1")->payload, with_key.payload);
  EXPECT_EQ(store_->command_by_client_key("k1")->key, UINT64_MAX);
  store_->finish_command(with_key, R"({"outcome":"ok"})");
  store_->finish_command(without, "{}");
  EXPECT_TRUE(store_->commands_under_way().empty());
  EXPECT_TRUE(store_->command_by_client_key("k1")->is_done);
  EXPECT_EQ(store_->command_by_client_key("k1")->answer, R"({"outcome":"ok"})");
}

TEST_F(StoreTest, AnotherSchemaIsRefusedWithWhatToDo) {
  store_->set_setting("schema_version", "99");
  try {
    open();
    FAIL() << "it was opened";
  } catch (const SqlError& error) {
    EXPECT_NE(std::string(error.what()).find("schema version '99'"), std::string::npos);
  }
}

TEST_F(StoreTest, ListsByNameInPages) {
  for (const char* name : {"c", "a", "b"}) add(name, std::string("private:") + name);
  const auto first = store_->list_accounts("", 2);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[1].name, "b");
  EXPECT_EQ(store_->list_accounts("b", 2)[0].name, "c");
}

}  // namespace
}  // namespace tollgate::control
