/** How an operator confirms deletions that are held or delayed, at the end of a sentence. */
export const confirmWords =
  'confirm: curl -X POST -H "Authorization: Bearer $TOKEN" http://ADMIN/confirm-deletes, with the token of --admin-token-file';
