"""What do the resolvers of this machine say of the trunk's names? Which resolvers there are, one question to one of
them, what their SRV answers come to, and which servers they name. Contacts resolvers only. Uses `net`.
"""
